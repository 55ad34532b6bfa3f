"""What decoders take and give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True)
class Hypothesis:
    """One reading of an utterance."""

    text: str
    score: float  # natural logarithm; what it sums up is said by its decoder
    tokens: tuple[int, ...]  # indices of units, no blanks
    frames: tuple[int, ...]  # the frame at which each token is emitted


class Decoder(Protocol):
    """The seam between model and text."""

    def decode(self, log_probs: Tensor, lengths: Tensor) -> list[list[Hypothesis]]:
        """Reads a batch.

        Args:
            log_probs: natural logarithms, shape (batch, frames, units), unit 0 the blank.
            lengths: frames of each utterance, shape (batch,); what lies behind is not looked at.

        Returns:
            For each utterance its hypotheses, best first, at least one.
        """
        ...
