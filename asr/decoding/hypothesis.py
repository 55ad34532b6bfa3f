"""What decoders take and give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

LogProbs = NDArray[np.floating]
"""Natural logarithms of the units' probabilities, unit 0 the blank; also a tensor on the CPU."""
Lengths = NDArray[np.integer]


@dataclass(frozen=True)
class Word:
    """A word of a hypothesis and where it was said."""

    text: str
    start: int  # the frame of its first unit
    end: int  # the frame behind its last unit
    confidence: float  # 0 to 1; what it measures is said by its decoder


@dataclass(frozen=True)
class Hypothesis:
    """One reading of an utterance."""

    text: str
    score: float  # natural logarithm; what it sums up is said by its decoder
    tokens: tuple[int, ...]  # indices of units, no blanks
    frames: tuple[int, ...]  # the frame at which each token is emitted
    words: tuple[Word, ...] = ()
    acoustic_score: float = 0.0  # natural logarithm, of all alignments together
    lm_score: float = 0.0  # natural logarithm of the language model's probability, unweighted


class Decoder(Protocol):
    """The seam between model and text."""

    name: str  # for tables
    writes_words: bool  # False if its text is phones, for want of a lexicon

    def decode(self, log_probs: LogProbs, lengths: Lengths) -> list[list[Hypothesis]]:
        """Reads a batch.

        Args:
            log_probs: shape (batch, frames, units).
            lengths: frames of each utterance, shape (batch,); what lies behind is not looked at.

        Returns:
            For each utterance its hypotheses, best first, at least one.
        """
        ...
