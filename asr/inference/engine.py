"""The protocol of an engine: signals in, log-probabilities out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from asr.audio.read import Samples
from asr.config.schema import HeadName


@dataclass(frozen=True)
class EngineOutput:
    """Log-probabilities of several signals; frames beyond a signal's length are undefined."""

    log_probs: NDArray[np.float32]  # natural logarithms, (signals, frames, units)
    lengths: NDArray[np.int64]  # frames of each signal, (signals,)
    intermediate: NDArray[np.float32] | None = None  # of the intermediate head, if there is one

    def head(self, name: HeadName) -> NDArray[np.float32]:
        """Log-probabilities of one of the model's heads."""
        chosen = self.log_probs if name == "main" else self.intermediate
        assert chosen is not None
        return chosen

    @classmethod
    def concatenate(cls, outputs: Sequence[EngineOutput]) -> EngineOutput:
        """Joins outputs into one batch."""
        mains, others = [], []
        for each in outputs:
            for i, length in enumerate(each.lengths.tolist()):
                mains.append(each.log_probs[i, :length])
                if each.intermediate is not None:
                    others.append(each.intermediate[i, :length])
        lengths = np.array([len(rows) for rows in mains])
        return cls(pad_rows(mains), lengths, pad_rows(others) if others else None)


class Engine(Protocol):
    """Runs an acoustic model."""

    device: str  # cpu, or cuda with its number
    seconds_per_frame: float  # of log-probabilities

    def emit(self, signals: Sequence[Samples]) -> EngineOutput:
        """Computes the log-probabilities of each signal, 16 kHz mono of shape (samples,).

        On the CPU a signal's output does not depend on the others of its batch.
        """
        ...


def pad_rows(rows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Arrays of shape (frames, units) as one of (rows, frames, units), padded with zeros."""
    units = rows[0].shape[1]
    together = np.zeros((len(rows), max(map(len, rows)), units), np.float32)
    for place, row in zip(together, rows, strict=True):
        place[: len(row)] = row
    return together
