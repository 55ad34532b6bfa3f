"""The card in a model's folder: what the model is, for people."""

from __future__ import annotations

from collections.abc import Sequence

from asr.config import Recipe, to_yaml


def training_card(
    recipe: Recipe, hours: float, parameters: int, history: Sequence[dict[str, float]]
) -> str:
    """The card of a model that has just been trained, as Markdown.

    Args:
        hours: of training audio.
        history: one entry an epoch, the last one being the epoch of these weights.
    """
    last = history[-1]
    return f"""# {recipe.name}

A bidirectional LSTM acoustic model trained with the CTC loss by this project's `asr train`.

- Training data: {", ".join(recipe.data.train)} ({hours:.2f} hours)
- Parameters: {parameters / 1e6:.2f} million, stored in float16
- Weights: averaged, after epoch {last["epoch"]:.0f} of {recipe.train.epochs}
- Greedy, no language model, on {recipe.data.dev_utterances} utterances of \
{", ".join(recipe.data.dev)}: WER {100 * last["dev_wer"]:.2f} %, CER {100 * last["dev_cer"]:.2f} %

## Recipe

```yaml
{to_yaml(recipe).strip()}
```
"""
