"""The file of an LSTM language model: safetensors with config, tokenizer and checksum as metadata.

Matrices are kept in 8 bits with a scale for each row, vectors in float16.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from asr.config.loading import validate
from asr.config.schema import RecurrentConfig
from asr.errors import AsrError
from asr.runtime.files import atomic, why_unreadable
from asr.tokenizers.tokenizer import BpeTokenizer

BORDER = 0  # the unit before and after every sentence; its index is the blank of CTC
UNSPELLED = -1e3  # natural logarithm of P(text) for a text that the units can't spell

_SCALE = ".scale"
_METADATA = "recurrent language model"

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class RecurrentFile:
    """The contents of a file."""

    config: RecurrentConfig
    tokenizer: BpeTokenizer
    weights: Mapping[str, Floats]  # by the names of :class:`asr.neural_lm.network.RecurrentModel`

    def write(self, path: str | Path) -> None:
        """Writes the file.

        Raises:
            AsrError: it can't be written.
        """
        tensors: dict[str, NDArray[Any]] = {}
        for name, array in self.weights.items():
            if array.ndim == 1:
                tensors[name] = array.astype(np.float16)
            else:
                tensors[name], tensors[name + _SCALE] = _quantise(array)
        record: dict[str, Any] = {
            "config": self.config.model_dump(mode="json"),
            "tokenizer": self.tokenizer.to_json(),
        }
        record["checksum"] = _checksum(tensors, record)
        # A single entry: safetensors writes several in a random order.
        metadata = {_METADATA: json.dumps(record)}
        with atomic(path) as temporary:
            temporary.write_bytes(save(tensors, metadata))


def is_recurrent(path: str | Path) -> bool:
    """Whether a file has this form: safetensors begin with a length and a brace."""
    try:
        with open(path, "rb") as file:
            return file.read(9)[8:] == b"{"
    except OSError:
        return False


def read_recurrent(path: str | Path) -> RecurrentFile:
    """Reads a file, its matrices in float32.

    Raises:
        AsrError: the file is missing, damaged, or no such model.
    """
    try:
        with safe_open(path, "np") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        raise AsrError(f"the language model {path} {why_unreadable(error)}") from error
    except SafetensorError as error:
        raise AsrError(f"{path} is no recurrent language model, or is damaged") from error
    if _METADATA not in metadata:
        raise AsrError(f"{path} is no recurrent language model")
    try:
        record = json.loads(metadata[_METADATA])
        if record.pop("checksum") != _checksum(tensors, record):
            raise ValueError("the checksum is of something else")
        config = validate(RecurrentConfig, record["config"], f"the model {path}")
        tokenizer = BpeTokenizer.from_json(record["tokenizer"])
        weights = {
            name: _dequantised(name, tensors) for name in tensors if not name.endswith(_SCALE)
        }
        _check_shapes(config, tokenizer, weights)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise AsrError(f"the language model {path} is damaged; copy or train it again") from error
    return RecurrentFile(config, tokenizer, weights)


def _quantise(matrix: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Rows as 8-bit integers, and their scales, shape (rows, 1)."""
    scale = np.maximum(np.abs(matrix).max(1, keepdims=True), np.float32(1e-8)) / np.float32(127.0)
    return (matrix / scale).round().astype(np.int8), scale


def _dequantised(name: str, tensors: Mapping[str, NDArray[Any]]) -> Floats:
    array = tensors[name].astype(np.float32)
    return array * tensors[name + _SCALE] if array.ndim > 1 else array


def _check_shapes(
    config: RecurrentConfig, tokenizer: BpeTokenizer, weights: Mapping[str, Floats]
) -> None:
    """Raises ValueError if the weights have other names or shapes than the config."""
    hidden, units = config.hidden, len(tokenizer)
    expected: dict[str, tuple[int, ...]] = {"embedding.weight": (units, hidden), "bias": (units,)}
    for layer in range(config.layers):
        for part in ("ih", "hh"):
            expected[f"lstm.weight_{part}_l{layer}"] = (4 * hidden, hidden)
            expected[f"lstm.bias_{part}_l{layer}"] = (4 * hidden,)
    if {name: array.shape for name, array in weights.items()} != expected:
        raise ValueError("the weights are of another model")


def _checksum(tensors: Mapping[str, NDArray[Any]], record: dict[str, Any]) -> str:
    """SHA-256 of the weights and of ``record``, the config and the tokenizer."""
    found = hashlib.sha256(json.dumps(record, sort_keys=True).encode())
    for name in sorted(tensors):
        found.update(name.encode() + tensors[name].tobytes())
    return found.hexdigest()
