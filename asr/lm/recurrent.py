"""A recurrent language model: an LSTM that predicts a sentence unit by unit (Mikolov et al. 2010,
Sundermeyer et al. 2012).

It remembers the whole sentence where an n-gram model remembers two words, but is far too slow to be
asked at every step of a search: a second pass asks it about the search's best readings.

A model is one file: safetensors, whose metadata hold config, units and a checksum. Matrices are
kept in 8 bits, a scale for each row.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from asr.config import RecurrentConfig, validate
from asr.errors import AsrError
from asr.files import atomic, why_unreadable
from asr.tokenizer import BpeTokenizer, UnrepresentableText

State = tuple[Tensor, Tensor]  # of the LSTM

BORDER = 0  # the unit before and behind every sentence, where CTC has its blank

_SCORED = 1 << 14  # units at a time
_UNSPELLED = -1e3  # natural logarithm, of a text that the units can't spell
_SCALE = ".scale"
_METADATA = "recurrent language model"


class RecurrentModel(nn.Module):
    """P(sentence) as the product of P(unit | all units before), the sentence's end included.

    The same matrix reads units and predicts them (Press and Wolf 2017).
    """

    def __init__(self, config: RecurrentConfig, tokenizer: BpeTokenizer) -> None:
        super().__init__()
        self.config = config
        self.tokenizer = tokenizer
        self.embedding = nn.Embedding(len(tokenizer), config.hidden)
        nn.init.normal_(self.embedding.weight, std=config.hidden**-0.5)
        self.dropout = nn.Dropout(config.dropout)
        between = config.dropout if config.layers > 1 else 0.0
        self.lstm = nn.LSTM(
            config.hidden, config.hidden, config.layers, batch_first=True, dropout=between
        )
        self.bias = nn.Parameter(torch.zeros(len(tokenizer)))

    def forward(self, units: Tensor) -> Tensor:
        """Scores, not normalised, of what comes next.

        Args:
            units: shape (batch, units), each sentence behind a border.

        Returns:
            Shape (batch, units, number of units).
        """
        return self.go_on(units, None)[0]

    def go_on(self, units: Tensor, state: State | None) -> tuple[Tensor, State]:
        """The same behind units that left ``state``; returns the scores and a new state."""
        outputs, state = self.lstm(self.dropout(self.embedding(units)), state)
        scores = functional.linear(self.dropout(outputs), self.embedding.weight, self.bias)
        return scores, state

    @torch.inference_mode()
    def log_probs(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """The natural logarithms of P(text) for texts in normal form."""
        found = np.full(len(texts), _UNSPELLED)
        spelled: dict[int, Tensor] = {}
        for index, text in enumerate(texts):
            try:
                spelled[index] = torch.tensor([BORDER, *self.tokenizer.encode(text), BORDER])
            except UnrepresentableText:
                continue
        order = sorted(spelled, key=lambda index: len(spelled[index]))
        while order:
            count = max(1, _SCORED // len(spelled[order[-1]]))
            some, order = order[-count:], order[:-count]
            padded = pad_sequence([spelled[i] for i in some], batch_first=True, padding_value=-1)
            units = padded.to(self.bias.device)
            found[some] = 0.0
            state = None
            for start in range(0, units.shape[1] - 1, _SCORED):  # once, if it is not very long
                part = units[:, start : start + _SCORED + 1]
                scores, state = self.go_on(part[:, :-1].clamp(min=BORDER), state)
                found[some] -= sentence_losses(scores, part[:, 1:]).double().cpu().numpy()
        return found

    def save(self, path: str | Path) -> None:
        """Writes the file that :func:`load_recurrent` reads.

        Raises:
            AsrError: it can't be written.
        """
        tensors: dict[str, Tensor] = {}
        for name, tensor in self.state_dict().items():
            if tensor.ndim == 1:
                tensors[name] = tensor.detach().to("cpu", torch.float16).contiguous()
            else:
                tensors[name], tensors[name + _SCALE] = _quantise(tensor.detach().cpu().float())
        record: dict[str, Any] = {
            "config": self.config.model_dump(mode="json"),
            "tokenizer": self.tokenizer.to_json(),
        }
        record["checksum"] = _checksum(tensors, record)
        # One entry: safetensors would write several in an order of its own, another every time.
        metadata = {_METADATA: json.dumps(record)}
        with atomic(path) as temporary:
            temporary.write_bytes(save(tensors, metadata))


def sentence_losses(scores: Tensor, following: Tensor) -> Tensor:
    """Minus the natural logarithm of P(sentence), of each.

    Args:
        scores: what :meth:`RecurrentModel.forward` says, shape (batch, units, number of units).
        following: the units that came, shape (batch, units); negative behind a sentence's end.
    """
    losses = functional.cross_entropy(
        scores.float().flatten(0, 1), following.flatten(), ignore_index=-1, reduction="none"
    )
    return losses.view(following.shape).sum(1)


def is_recurrent(path: str | Path) -> bool:
    """True of a file of this form: safetensors begin with a length and a brace."""
    try:
        with open(path, "rb") as file:
            return file.read(9)[8:] == b"{"
    except OSError:
        return False


def load_recurrent(path: str | Path) -> RecurrentModel:
    """Loads a model, in float32 and in evaluation mode, on the CPU.

    Raises:
        AsrError: the file is missing, damaged, or no such model.
    """
    try:
        with safe_open(path, "pt") as file:
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
        model = RecurrentModel(config, BpeTokenizer.from_json(record["tokenizer"]))
        model.load_state_dict(
            {
                name: tensor.float() * tensors[name + _SCALE] if tensor.ndim > 1 else tensor.float()
                for name, tensor in tensors.items()
                if not name.endswith(_SCALE)
            }
        )
    except (ValueError, LookupError, TypeError, AttributeError, RuntimeError) as error:
        raise AsrError(f"the language model {path} is damaged; copy or train it again") from error
    return model.eval()


def _quantise(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Rows as 8-bit integers and what to multiply them by, shape (rows, 1)."""
    scale = matrix.abs().amax(1, keepdim=True).clamp(min=1e-8) / 127.0
    return (matrix / scale).round().to(torch.int8), scale


def _checksum(tensors: dict[str, Tensor], record: dict[str, Any]) -> str:
    """Of the whole model; ``record`` holds its config and its units."""
    found = hashlib.sha256(json.dumps(record, sort_keys=True).encode())
    for name in sorted(tensors):
        found.update(name.encode() + tensors[name].numpy().tobytes())
    return found.hexdigest()
