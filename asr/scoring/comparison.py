"""Whether one recogniser is better than another, on the same utterances.

Two tests, which ask different things. The paired bootstrap (Bisani and Ney 2004) redraws speakers
or utterances and tells how far the difference would spread over other test sets. Matched pairs
(Gillick and Cox 1989, section 3) cut the utterances into segments whose errors are independent of
each other and ask whether their mean difference is zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr.errors import AsrError
from asr.scoring.bootstrap import LEVEL, SEED, Unit, redraw, resampling_units
from asr.scoring.error_rates import Alignment
from asr.scoring.pairing import UtteranceText
from asr.scoring.results import Evaluation, finite, to_record

REPLICATES = 10_000  # the smallest p-value that can be told from zero is 2 in as many
FEW_SEGMENTS = 50  # below, the normal distribution is a rough guess
FEW_UNITS = 20  # below, the bootstrap's interval is a tenth too narrow, or more

_BOUNDARY = 2  # words that both have right, one behind the other, end a segment


@dataclass(frozen=True)
class Bootstrap:
    """The paired bootstrap of a difference of error rates."""

    low: float | None  # of the difference, a fraction, with the probability LEVEL
    high: float | None  # both None, and the next, where there is only one unit
    improvement: float | None  # the share of redrawn test sets on which the second one is better
    p: float  # two-sided
    over: Unit  # what was redrawn
    units: int  # how many of them there are


@dataclass(frozen=True)
class MatchedPairs:
    """The matched-pair sentence segment word error test (MAPSSWE)."""

    segments: int  # with an error of either one
    mean: float  # of the differences of errors in a segment, second less first
    z: float  # the mean in units of its standard error; infinite where all differ alike
    p: float  # two-sided


@dataclass(frozen=True)
class Change:
    """An utterance on which two recognisers differ."""

    reference: UtteranceText
    first: str
    second: str
    first_errors: int
    second_errors: int

    @property
    def difference(self) -> int:
        return self.second_errors - self.first_errors


@dataclass(frozen=True)
class Comparison:
    """A second recogniser against a first one; differences are second less first."""

    first: Evaluation
    second: Evaluation
    bootstrap: Bootstrap
    matched_pairs: MatchedPairs
    changes: Sequence[Change]  # those that changed most first, without those that did not

    @property
    def difference(self) -> float:
        """Of the word error rates, a fraction."""
        return self.second.score.wer - self.first.score.wer


def compare(first: Evaluation, second: Evaluation) -> Comparison:
    """Compares two evaluations of the same references.

    Raises:
        AsrError: the references have no words.
        ValueError: the references are not the same.
    """
    if [u.text for u in first.references] != [u.text for u in second.references]:
        raise ValueError("both must have been scored against the same references")
    if not first.score.words.reference:
        raise AsrError("the references have no words, so there are no error rates to compare")
    drawn, matched = _bootstrap(first, second), _matched_pairs(first, second)
    return Comparison(first, second, drawn, matched, _changes(first, second))


def comparison_record(comparison: Comparison) -> dict[str, Any]:
    """The figures of a comparison for JSON; rates and their differences are fractions."""
    return {
        "sets": [to_record(comparison.first), to_record(comparison.second)],
        "difference": comparison.difference,
        "bootstrap": {
            **asdict(comparison.bootstrap),
            "level": LEVEL,
            "replicates": REPLICATES,
            "seed": SEED,
        },
        "matched_pairs": {
            **asdict(comparison.matched_pairs),
            "z": finite(comparison.matched_pairs.z),
        },
        "changes": [
            {
                "utterance_id": change.reference.utterance_id,
                "reference": change.reference.text,
                "first": change.first,
                "second": change.second,
                "first_errors": change.first_errors,
                "second_errors": change.second_errors,
            }
            for change in comparison.changes
        ],
    }


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
    blocks = zip(*redraw(counts, REPLICATES), strict=True)
    ours, theirs, words = (np.concatenate(block) for block in blocks)
    spoken = words > 0
    differences = (theirs[spoken] - ours[spoken]) / words[spoken]
    low, high = np.quantile(differences, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    # One is added to both counts: of test sets not redrawn, the one at hand is the first.
    tail = 1 + min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    p = min(1.0, max(2 * tail / (len(differences) + 1), _least_p(units.count)))
    improvement = float((differences < 0).mean())
    return Bootstrap(float(low), float(high), improvement, p, units.over, units.count)


def _matched_pairs(first: Evaluation, second: Evaluation) -> MatchedPairs:
    pairs = zip(first.score.alignments, second.score.alignments, strict=True)
    found = np.concatenate([_segment_differences(ours, theirs) for ours, theirs in pairs])
    count = len(found)
    mean = float(found.mean()) if count else 0.0
    if count < 2 or not found.any():
        return MatchedPairs(count, mean, 0.0, 1.0)
    spread = float(found.std(ddof=1))
    z = mean / (spread / math.sqrt(count)) if spread else math.copysign(math.inf, mean)
    return MatchedPairs(count, mean, z, max(math.erfc(abs(z) / math.sqrt(2)), _least_p(count)))


def _least_p(count: int) -> float:
    """The least that so many differences can tell: so often all have one sign by chance alone."""
    return 2.0 ** (1 - count)


def _segment_differences(first: Alignment, second: Alignment) -> NDArray[np.int64]:
    """Errors of the second less those of the first in each segment with an error.

    Segments end where both have two words right, one behind the other, with nothing inserted.
    """
    ours, theirs = _errors_in_place(first), _errors_in_place(second)
    wrong = np.flatnonzero(ours + theirs)
    if not len(wrong):
        return np.zeros(0, np.int64)
    # Words stand in the odd places, so this counts the right ones between neighbouring errors.
    between = wrong[1:] // 2 - (wrong[:-1] + 1) // 2
    starts = np.append(0, np.flatnonzero(between >= _BOUNDARY) + 1)
    return np.add.reduceat((theirs - ours)[wrong], starts)


def _errors_in_place(alignment: Alignment) -> NDArray[np.int64]:
    """Errors at each word of the reference (odd places) and insertions between them (even)."""
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
        Change(reference, ours, theirs, before.total, after.total)
        for reference, ours, theirs, before, after in zip(
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
