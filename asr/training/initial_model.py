"""The acoustic model that a training starts from: output units, and weights of another model."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from asr.acoustic.folder import find_model, open_model, read_weights
from asr.acoustic.network import AcousticModel
from asr.config.schema import Recipe, UnitKind
from asr.errors import AsrError
from asr.runtime.progress import console
from asr.tokenizers.tokenizer import (
    BpeTokenizer,
    CharacterTokenizer,
    PhoneTokenizer,
    Tokenizer,
    from_json,
)
from asr.training.dataset import read_manifests


def make_tokenizers(
    recipe: Recipe, record: dict[str, Any] | None, init_from: str | None = None
) -> tuple[Tokenizer, Tokenizer]:
    """The tokenizers of the main head and of the intermediate one.

    Args:
        record: the state of a run that is resumed, whose units are kept.
        init_from: a model whose BPE units are kept with the weights of its heads, where the
            recipe asks for as many.

    Raises:
        AsrError: ``init_from`` can't be read, or the texts don't give enough BPE units.
    """
    saved = (record and record.get("tokenizers")) or (None, None)  # the earliest states have none
    source = open_model(init_from) if init_from and not record else None
    main = _make_tokenizer(
        recipe, recipe.units.kind, saved[0], source.tokenizer if source else None
    )
    if recipe.units.intermediate in (None, recipe.units.kind):
        return main, main
    above = source.intermediate_tokenizer if source else None
    return main, _make_tokenizer(recipe, recipe.units.intermediate, saved[1], above)


def make_model(
    recipe: Recipe, tokenizers: tuple[Tokenizer, Tokenizer], init_from: str | None
) -> AcousticModel:
    """A new model, with the weights of ``init_from`` wherever name and shape agree.

    Raises:
        AsrError: no weight of ``init_from`` fits, or it can't be read.
    """
    main, intermediate = tokenizers
    model = AcousticModel(recipe.model, len(main), len(intermediate))
    if init_from:
        _take_over(model, init_from)
    return model


def _make_tokenizer(
    recipe: Recipe, kind: UnitKind, saved: dict[str, Any] | None, source: Tokenizer | None
) -> Tokenizer:
    if saved:
        return from_json(saved)
    if kind == "characters":
        return CharacterTokenizer()
    if kind == "phones":
        return PhoneTokenizer()
    if isinstance(source, BpeTokenizer) and len(source) == recipe.units.size + 1:  # and the blank
        return source
    texts = (utterance.text for utterance in read_manifests(recipe.data, recipe.data.train))
    return BpeTokenizer.train(texts, recipe.units.size)


def _take_over(model: nn.Module, name: str) -> None:
    """Replaces the weights that the model called ``name`` has in the same shape."""
    stored = read_weights(find_model(name))
    source = {key: torch.from_numpy(value) for key, value in stored.items()}
    own = model.state_dict()
    fitting = {key: value for key, value in source.items() if _fits(value, own.get(key))}
    if not fitting:
        raise AsrError(f"no weight of {name} (init_from) fits the model of this recipe")
    model.load_state_dict(fitting, strict=False)
    fresh = [key for key in own if key not in fitting]
    if fresh:
        console.print(f"not in {name}, so initialised anew: {', '.join(fresh)}")


def _fits(value: Tensor, own: Tensor | None) -> bool:
    return own is not None and value.shape == own.shape
