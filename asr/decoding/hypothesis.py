"""The decoder protocol: log-probabilities in, hypotheses with words and times out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

LogProbs = NDArray[np.floating]
"""Natural logarithms of the units' probabilities, unit 0 the blank; also a tensor on the CPU."""
Lengths = NDArray[np.integer]


@dataclass(frozen=True)
class DecodedWord:
    """A word of a hypothesis with its frames."""

    text: str
    start: int  # the frame of its first unit
    end: int  # the frame behind its last unit
    confidence: float  # 0 to 1; its decoder documents the measure


@dataclass(frozen=True)
class Hypothesis:
    """A hypothesis of an utterance's text."""

    text: str
    score: float  # natural logarithm; its decoder documents the terms
    tokens: tuple[int, ...]  # indices of units, no blanks
    frames: tuple[int, ...]  # the frame at which each token is emitted
    words: tuple[DecodedWord, ...] = ()
    acoustic_score: float = 0.0  # natural logarithm, of all alignments together
    lm_score: float = 0.0  # natural logarithm of the language model's probability, unweighted


class Decoder(Protocol):
    """Log-probabilities to hypotheses."""

    name: str  # for tables
    writes_words: bool  # False if it writes phones, without a lexicon

    def decode(self, log_probs: LogProbs, lengths: Lengths) -> list[list[Hypothesis]]:
        """Decodes a batch.

        Args:
            log_probs: shape (batch, frames, units).
            lengths: frames of each utterance, shape (batch,); frames behind them are ignored.

        Returns:
            For each utterance its hypotheses, best first, at least one.
        """
        ...
