"""Comparison of two recognisers on the same utterances, by two tests.

The paired bootstrap (Bisani and Ney 2004) resamples speakers or utterances and estimates the
spread of the difference over other test sets. The matched-pair test (Gillick and Cox 1989, section
3) cuts the utterances into segments with independent errors and tests whether the mean difference
of their errors is zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr.errors import AsrError
from asr.scoring.bootstrap import LEVEL, SEED, Unit, resample, resampling_units
from asr.scoring.error_rates import Alignment, finite
from asr.scoring.figures import summarise
from asr.scoring.results import Evaluation
from asr.scoring.transcripts import UtteranceText

REPLICATES = 10_000  # the smallest p-value is 2 / (REPLICATES + 1)
FEW_SEGMENTS = 50  # with fewer, the normal approximation is rough
FEW_UNITS = 20  # with fewer, the bootstrap's interval is a tenth too narrow, or more

_BOUNDARY = 2  # adjacent words that both have right, which end a segment


@dataclass(frozen=True)
class Bootstrap:
    """The paired bootstrap of a difference of error rates."""

    low: float | None  # interval of the difference at LEVEL, a fraction
    high: float | None  # low, high and improvement are None where there is only one unit
    improvement: float | None  # share of resampled test sets on which the second is better
    p: float  # two-sided
    over: Unit  # the resampled unit
    units: int  # their number in the test set


@dataclass(frozen=True)
class MatchedPairs:
    """The matched-pair sentence segment word error test (MAPSSWE)."""

    segments: int  # with an error of either recogniser
    mean: float  # of the difference of errors in a segment, second less first
    z: float  # mean over its standard error; infinite where all differences are equal
    p: float  # two-sided


@dataclass(frozen=True)
class Change:
    """An utterance on which the recognisers' numbers of errors differ."""

    reference: UtteranceText
    first: str
    second: str
    first_errors: int
    second_errors: int

    @property
    def difference(self) -> int:
        return self.second_errors - self.first_errors

    def to_json(self) -> dict[str, Any]:
        return {
            "utterance_id": self.reference.utterance_id,
            "reference": self.reference.text,
            "first": self.first,
            "second": self.second,
            "first_errors": self.first_errors,
            "second_errors": self.second_errors,
        }


@dataclass(frozen=True)
class Comparison:
    """A second recogniser against a first one; differences are second less first."""

    first: Evaluation
    second: Evaluation
    bootstrap: Bootstrap
    matched_pairs: MatchedPairs
    changes: Sequence[Change]  # the largest difference first

    @property
    def difference(self) -> float:
        """Difference of the word error rates, a fraction."""
        return self.second.score.wer - self.first.score.wer

    def to_json(self) -> dict[str, Any]:
        """The comparison for JSON; rates and their differences are fractions."""
        return {
            "sets": [summarise(self.first).to_json(), summarise(self.second).to_json()],
            "difference": self.difference,
            "bootstrap": {
                **asdict(self.bootstrap),
                "level": LEVEL,
                "replicates": REPLICATES,
                "seed": SEED,
            },
            "matched_pairs": {**asdict(self.matched_pairs), "z": finite(self.matched_pairs.z)},
            "changes": [change.to_json() for change in self.changes],
        }


def compare(first: Evaluation, second: Evaluation) -> Comparison:
    """Compares two evaluations of the same references.

    Raises:
        AsrError: the references have no words.
        ValueError: the references are not the same.
    """
    if [u.text for u in first.references] != [u.text for u in second.references]:
        raise ValueError("both evaluations must have the same references")
    if not first.score.words.reference:
        raise AsrError("the references have no words, so there are no error rates to compare")
    drawn, matched = _bootstrap(first, second), _matched_pairs(first, second)
    return Comparison(first, second, drawn, matched, _changes(first, second))


def _bootstrap(first: Evaluation, second: Evaluation) -> Bootstrap:
    units = resampling_units(first.speakers)
    if units.count < 2:
        return Bootstrap(None, None, None, 1.0, units.over, units.count)
    errors = first.score.utterance_errors
    counts = [
        units.sum([e.total for e in errors]),
        units.sum([e.total for e in second.score.utterance_errors]),
        units.sum([e.reference for e in errors]),
    ]
    blocks = zip(*resample(counts, REPLICATES), strict=True)
    before, after, words = (np.concatenate(block) for block in blocks)
    spoken = words > 0
    differences = (after[spoken] - before[spoken]) / words[spoken]
    low, high = np.quantile(differences, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    # One is added to both counts: the given test set is a replicate as well.
    tail = 1 + min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    p = min(1.0, max(2 * tail / (len(differences) + 1), _least_p(units.count)))
    improvement = float((differences < 0).mean())
    return Bootstrap(float(low), float(high), improvement, p, units.over, units.count)


def _matched_pairs(first: Evaluation, second: Evaluation) -> MatchedPairs:
    pairs = zip(first.score.alignments, second.score.alignments, strict=True)
    found = np.concatenate([_segment_differences(*pair) for pair in pairs])
    count = len(found)
    mean = float(found.mean()) if count else 0.0
    if count < 2 or not found.any():
        return MatchedPairs(count, mean, 0.0, 1.0)
    spread = float(found.std(ddof=1))
    z = mean / (spread / math.sqrt(count)) if spread else math.copysign(math.inf, mean)
    return MatchedPairs(count, mean, z, max(math.erfc(abs(z) / math.sqrt(2)), _least_p(count)))


def _least_p(count: int) -> float:
    """The smallest p-value of ``count`` differences: that of all having one sign by chance."""
    return 2.0 ** (1 - count)


def _segment_differences(first: Alignment, second: Alignment) -> NDArray[np.int64]:
    """Errors of the second less those of the first in each segment with an error.

    A segment ends where both have two adjacent words right with nothing inserted between.
    """
    before, after = _errors_by_position(first), _errors_by_position(second)
    if len(before) != len(after):  # Alternations: each took other words of the reference.
        whole = np.array([after.sum() - before.sum()], np.int64)
        return whole if before.any() or after.any() else whole[:0]
    wrong = np.flatnonzero(before + after)
    if not len(wrong):
        return np.zeros(0, np.int64)
    # Words have odd indices, so this counts the right words between neighbouring errors.
    between = wrong[1:] // 2 - (wrong[:-1] + 1) // 2
    starts = np.append(0, np.flatnonzero(between >= _BOUNDARY) + 1)
    return np.add.reduceat((after - before)[wrong], starts)


def _errors_by_position(alignment: Alignment) -> NDArray[np.int64]:
    """Errors at each word of the reference (odd indices) and insertions between them (even)."""
    places = np.zeros(2 * len(alignment.reference) + 1, np.int64)
    for run in alignment.runs:
        start, stop = 2 * run.reference.start, 2 * run.reference.stop
        if run.kind == "insert":
            places[start] += run.hypothesis.stop - run.hypothesis.start
        elif run.kind != "equal":
            places[start + 1 : stop : 2] = 1
    return places


def _changes(first: Evaluation, second: Evaluation) -> list[Change]:
    changes = [
        Change(reference, first_text, second_text, before.total, after.total)
        for reference, first_text, second_text, before, after in zip(
            first.references,
            first.hypotheses,
            second.hypotheses,
            first.score.utterance_errors,
            second.score.utterance_errors,
            strict=True,
        )
        if before.total != after.total
    ]
    return sorted(changes, key=lambda c: (-abs(c.difference), c.reference.utterance_id))
