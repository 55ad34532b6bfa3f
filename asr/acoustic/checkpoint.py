"""A model that torch can run, from its folder and back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from asr.acoustic.folder import (
    CARD,
    CHECKSUMS,
    CONFIG,
    INTERMEDIATE_TOKENIZER,
    TOKENIZER,
    WEIGHTS,
    open_model,
    write_checksums,
)
from asr.acoustic.network import AcousticModel
from asr.config.loading import to_yaml
from asr.errors import AsrError
from asr.runtime.files import atomic, remove, write_text
from asr.tokenizers.tokenizer import Tokenizer


@dataclass(frozen=True)
class Checkpoint:
    """A model that can be run, and the units it emits."""

    model: AcousticModel
    tokenizer: Tokenizer
    intermediate_tokenizer: Tokenizer  # the same, if the intermediate head has the same units


def load_model(name: str | Path | None = None) -> Checkpoint:
    """Loads a model, in float32 and in evaluation mode, on the CPU.

    Args:
        name: a model's folder, or the name of a bundled one; by default the bundled default.

    Raises:
        AsrError: there is no such model, or a file of it is missing or damaged.
    """
    folder = open_model(name)
    tokenizer, intermediate = folder.tokenizer, folder.intermediate_tokenizer
    model = AcousticModel(folder.config, len(tokenizer), len(intermediate))
    weights = {name: torch.from_numpy(array).float() for name, array in folder.weights().items()}
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise AsrError(
            f"the weights in {folder.path / WEIGHTS} do not fit the config and tokenizer beside "
            "them"
        ) from error
    return Checkpoint(model.eval(), tokenizer, intermediate)


def save_model(folder: str | Path, checkpoint: Checkpoint, card: str) -> None:
    """Writes a model folder; every file is replaced whole, the weights last, then the checksums.

    Between the first file and the last there are no checksums, so that a folder left half-way is
    one of the old or the new weights, not a damaged one.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    remove(folder / CHECKSUMS)
    model = checkpoint.model
    write_text(folder / CONFIG, to_yaml(model.config))
    checkpoint.tokenizer.save(folder / TOKENIZER)
    if checkpoint.intermediate_tokenizer is not checkpoint.tokenizer:
        checkpoint.intermediate_tokenizer.save(folder / INTERMEDIATE_TOKENIZER)
    else:
        remove(folder / INTERMEDIATE_TOKENIZER)  # of an earlier model
    write_text(folder / CARD, card)
    halves = {name: _half(tensor) for name, tensor in model.state_dict().items()}
    with atomic(folder / WEIGHTS) as temporary:
        temporary.write_bytes(save(halves))  # save_file would make it readable to its owner alone
    write_checksums(folder)


def _half(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", torch.float16).contiguous()
