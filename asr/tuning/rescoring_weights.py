"""The weights of a second pass, found on a development set."""

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

# Of head, recurrent model, language model and word bonus: halved from the first to the last.
_STEPS = np.array([0.2, 0.2, 0.2, 0.8])
_HALVINGS = 4


@dataclass(frozen=True)
class Candidates:
    """The readings of a development set; utterances that have fewer are filled up with bad ones."""

    scores: NDArray[np.float64]  # of the search, (utterances, readings)
    evidence: NDArray[np.float64]  # of the second pass, (utterances, readings, terms)
    errors: NDArray[np.int64]  # of words, (utterances, readings)
    words: int  # of the references

    @classmethod
    def of(
        cls,
        found: Iterable[tuple[Sequence[Hypothesis], NDArray[np.float64]]],
        references: Sequence[str],
    ) -> Candidates:
        """What the search found, and the evidence on it, of each utterance."""
        rows = []
        for (readings, evidence), reference in zip(found, references, strict=True):
            texts = [reading.text for reading in readings]
            wrong = score([reference] * len(texts), texts).utterance_errors
            scores = np.array([reading.score for reading in readings])
            rows.append((scores, evidence, np.array([errors.total for errors in wrong])))
        most = max(len(scores) for scores, *_ in rows)
        return cls(
            np.stack([_filled(scores, most, -np.inf) for scores, *_ in rows]),
            np.stack([_filled(evidence, most, 0.0) for _, evidence, _ in rows]),
            np.stack([_filled(errors, most, 0) for *_, errors in rows]),
            sum(len(reference.split()) for reference in references),
        )

    def count(self, weights: NDArray[np.float64]) -> int:
        """The word errors of the readings that these weights choose."""
        chosen = (self.scores + self.evidence @ weights).argmax(1)
        return int(self.errors[np.arange(len(chosen)), chosen].sum())

    def fewest(self) -> int:
        """The word errors of the best readings there are."""
        there = np.where(np.isfinite(self.scores), self.errors, np.iinfo(np.int64).max)
        return int(there.min(1).sum())


def reweigh(candidates: Candidates) -> SecondPassWeights:
    """Searches weights with the fewest errors: a pattern search (Hooke and Jeeves 1961) from 0 on.

    Weights of terms that are the same for all readings stay 0.
    """
    spread = np.ptp(candidates.evidence, axis=1).max(0) > 0
    best = np.zeros(len(_STEPS))
    fewest = candidates.count(best)
    step = _STEPS * spread
    for _ in range(_HALVINGS + 1):
        moved = True
        while moved:
            moved = False
            for turn in product((-1, 0, 1), repeat=len(best)):
                tried = best + np.array(turn) * step
                if (tried[:2] < 0).any() or (errors := candidates.count(tried)) >= fewest:
                    continue
                best, fewest, moved = tried, errors, True
        step = step / 2
    return SecondPassWeights(*best.round(4).tolist())


def _filled(rows: NDArray[Number], length: int, value: float) -> NDArray[Number]:
    room = np.full((length, *rows.shape[1:]), value, rows.dtype)
    room[: len(rows)] = rows
    return room
