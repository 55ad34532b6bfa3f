"""The model card: README.md in a model's folder, written by training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from asr.config.schema import EncoderConfig, Recipe, SpellerRecipe, UnitsConfig

_RESULTS = "## Error rates\n"
_CELLS = {
    "lstm": "LSTM",
    "peephole": "peephole LSTM",
    "cifg": "coupled-gate LSTM",
    "gru": "GRU",
    "rnn": "plain RNN",
}


def error_rates(units: UnitsConfig, entry: dict[str, float]) -> str:
    """The error rates of an epoch in per cent: of words and characters, or of phones."""
    if units.kind == "phones":  # with the boundaries between words
        return f"PER {100 * entry['dev_wer']:.2f}"
    return f"WER {100 * entry['dev_wer']:.2f}, CER {100 * entry['dev_cer']:.2f}"


def training_card(
    recipe: Recipe,
    hours: float,
    scored: int,
    parameters: int,
    history: Sequence[dict[str, float]],
) -> str:
    """The card of a newly trained model, as Markdown.

    Args:
        hours: of training audio.
        scored: utterances of the dev set that the error rates are of.
        history: one entry an epoch; the last is the epoch of these weights.
    """
    last = history[-1]
    settings = yaml.safe_dump(_without_paths(recipe), sort_keys=False)
    return f"""# {recipe.name}

{_architecture_name(recipe.model.encoder)} trained with the CTC loss by this project's `asr train`.

- Training data: {", ".join(recipe.data.train)} ({hours:.2f} hours)
- Parameters: {parameters / 1e6:.2f} million, stored in float16
- Weights: averaged, after epoch {last["epoch"]:.0f} of {recipe.train.epochs}
- Greedy, no language model, on {scored} utterances of \
{", ".join(recipe.data.dev)}: {error_rates(recipe.units, last)} %

## Recipe

```yaml
{settings.strip()}
```
"""


def speller_card(
    recipe: Recipe,
    config: SpellerRecipe,
    source: Path,
    scored: int,
    parameters: int,
    last: dict[str, float],
) -> str:
    """The card of a model with a newly trained speller, as Markdown.

    Args:
        source: the folder of the model without it.
        scored: utterances of the dev set that the error rates are of.
        last: the history entry of these weights.
    """
    settings = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
    return f"""# {recipe.name}

The model {source.name} with a speller, trained with the CTC loss by this project's \
`asr speller`.

- Recordings: {", ".join(recipe.data.train)}
- Parameters: {parameters / 1e6:.2f} million, stored in float16
- Weights: averaged, after step {last["step"]:.0f}
- Greedy, no language model, on {scored} utterances of \
{", ".join(recipe.data.dev)}: WER {100 * last["dev_wer"]:.2f}, CER {100 * last["dev_cer"]:.2f} %

## Settings

```yaml
{settings.strip()}
```
"""


def _architecture_name(encoder: EncoderConfig) -> str:
    article = "A bidirectional" if encoder.bidirectional else "A unidirectional"
    attention = " with self-attention" if encoder.attention_window else ""
    return f"{article} {_CELLS[encoder.cell]} acoustic model{attention}"


def with_results(card: str, table: str) -> str:
    """A card with a table of error rates, which replaces an older one."""
    before, _, _ = card.partition(_RESULTS)
    return f"{before.rstrip()}\n\n{_RESULTS}\n{table}"


def _without_paths(recipe: Recipe) -> dict[str, Any]:
    """The settings without paths of the machine that trained."""
    settings: dict[str, Any] = recipe.model_dump(
        mode="json", exclude={"output": True, "data": {"manifests", "cache"}, "before": True}
    )
    before = _without_paths(recipe.before) if recipe.before else None
    return settings | {"before": before}
