"""Tunes the weights of a second pass on a development set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from asr.decoding.hypothesis import Hypothesis
from asr.decoding.options import SecondPassWeights
from asr.scoring.error_rates import score

Number = TypeVar("Number", np.float64, np.int64)

# Of head, LSTM, language model and word bonus; halved _HALVINGS times.
_STEPS = np.array([0.2, 0.2, 0.2, 0.8])
_HALVINGS = 4


@dataclass(frozen=True)
class Candidates:
    """The n-best lists of a development set, padded to one length by impossible hypotheses."""

    scores: NDArray[np.float64]  # of the search, (utterances, hypotheses); of padding -inf
    terms: NDArray[np.float64]  # of the second pass, (utterances, hypotheses, 4)
    errors: NDArray[np.int64]  # of words, (utterances, hypotheses)
    words: int  # of the references

    @classmethod
    def of(
        cls,
        scored: Iterable[tuple[Sequence[Hypothesis], NDArray[np.float64]]],
        references: Sequence[str],
    ) -> Candidates:
        """The candidates of utterances, each an n-best list and the second pass's terms."""
        rows = []
        for (nbest, terms), reference in zip(scored, references, strict=True):
            texts = [hypothesis.text for hypothesis in nbest]
            errors = score([reference] * len(texts), texts).utterance_errors
            scores = np.array([hypothesis.score for hypothesis in nbest])
            rows.append((scores, terms, np.array([counted.total for counted in errors])))
        most = max(len(scores) for scores, *_ in rows)
        return cls(
            np.stack([_padded(scores, most, -np.inf) for scores, *_ in rows]),
            np.stack([_padded(terms, most, 0.0) for _, terms, _ in rows]),
            np.stack([_padded(errors, most, 0) for *_, errors in rows]),
            sum(len(reference.split()) for reference in references),
        )

    def count_errors(self, weights: NDArray[np.float64]) -> int:
        """The word errors of the hypotheses that are best with these weights."""
        chosen = (self.scores + self.terms @ weights).argmax(1)
        return int(self.errors[np.arange(len(chosen)), chosen].sum())

    def oracle_errors(self) -> int:
        """The word errors of the best hypothesis of each list."""
        possible = np.where(np.isfinite(self.scores), self.errors, np.iinfo(np.int64).max)
        return int(possible.min(1).sum())


def tune_rescoring_weights(candidates: Candidates) -> SecondPassWeights:
    """The weights with the fewest errors, by pattern search (Hooke and Jeeves 1961) from 0 on.

    Weights of terms that are the same for all hypotheses stay 0.
    """
    spread = np.ptp(candidates.terms, axis=1).max(0) > 0
    best = np.zeros(len(_STEPS))
    fewest = candidates.count_errors(best)
    step = _STEPS * spread
    for _ in range(_HALVINGS + 1):
        moved = True
        while moved:
            moved = False
            for turn in product((-1, 0, 1), repeat=len(best)):
                tried = best + np.array(turn) * step
                if (tried[:2] < 0).any() or (errors := candidates.count_errors(tried)) >= fewest:
                    continue
                best, fewest, moved = tried, errors, True
        step = step / 2
    return SecondPassWeights(*best.round(4).tolist())


def _padded(rows: NDArray[Number], length: int, value: float) -> NDArray[Number]:
    room = np.full((length, *rows.shape[1:]), value, rows.dtype)
    room[: len(rows)] = rows
    return room
