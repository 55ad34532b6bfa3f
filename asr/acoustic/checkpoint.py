"""Loading a model from its folder into torch, and saving it."""

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
    """A network in torch with its tokenizers."""

    model: AcousticModel
    tokenizer: Tokenizer
    intermediate_tokenizer: Tokenizer  # the same object if both heads emit the same units


def load_model(name: str | Path | None = None) -> Checkpoint:
    """Loads a model, in float32 and in evaluation mode, on the CPU.

    Args:
        name: a model's folder, or the name of a bundled one; by default the bundled default.

    Raises:
        AsrError: there is no such model, or one of its files is missing or damaged.
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

    The checksums are removed first: an interrupted save leaves a folder with the old or the new
    weights, which then is not taken for a damaged one.
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
        temporary.write_bytes(save(halves))  # save_file makes files that only the owner can read
    write_checksums(folder)


def _half(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", torch.float16).contiguous()
