"""Confidence intervals of error rates by the bootstrap (Bisani and Ney 2004).

Test sets are resampled from the given one with replacement, by speaker or by utterance. The error
rate spreads over them as over other test sets of the same make. Utterances of one speaker are easy
or hard together, so resampling utterances gives too narrow an interval: speakers are resampled
where they are known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from asr.scoring.error_rates import Errors

LEVEL = 0.95
REPLICATES = 2000  # the ends of the interval then err by 3 % of its width
SEED = 2004
MIN_SPEAKERS = 5  # with fewer, utterances are resampled

_BLOCK = 1 << 21  # draws in memory at a time

Unit = Literal["speakers", "utterances"]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Interval:
    """The interval of an error rate at the confidence level :data:`LEVEL`."""

    low: float  # fraction
    high: float
    over: Unit  # the resampled unit
    units: int  # their number in the test set

    @property
    def rounded(self) -> list[float]:
        """Both ends with six digits."""
        return [round(self.low, 6), round(self.high, 6)]


@dataclass(frozen=True)
class Units:
    """The units of resampling: speakers, or utterances where speakers are not known."""

    over: Unit
    of: NDArray[np.int64]  # index of the unit of each utterance, shape (utterances,)
    count: int

    def sum(self, values: Sequence[int] | Counts) -> Counts:
        """Sums a value of each utterance within each unit, shape (units,)."""
        sums = np.bincount(self.of, np.asarray(values, np.float64), minlength=self.count)
        return sums.astype(np.int64)


def resampling_units(speakers: Sequence[str | None]) -> Units:
    """Chooses the units of resampling, given the speaker of each utterance.

    These are speakers if all are known and there are at least :data:`MIN_SPEAKERS`, else
    utterances.
    """
    names = dict.fromkeys(speakers)
    if None not in names and len(names) >= MIN_SPEAKERS:
        index = {name: i for i, name in enumerate(names)}
        of = np.fromiter((index[name] for name in speakers), np.int64, len(speakers))
        return Units("speakers", of, len(names))
    return Units("utterances", np.arange(len(speakers)), len(speakers))


def interval(errors: Sequence[Errors], speakers: Sequence[str | None]) -> Interval | None:
    """The interval of the error rate of a set of utterances.

    Args:
        errors: of each utterance.
        speakers: of each utterance, None where not known.

    Returns:
        None if the references have no words, or there is only one unit.
    """
    units = resampling_units(speakers)
    words = units.sum([e.reference for e in errors])
    if units.count < 2 or not words.any():
        return None
    wrong = units.sum([e.total for e in errors])
    drawn_wrong, drawn_words = (
        np.concatenate(x) for x in zip(*resample([wrong, words]), strict=True)
    )
    rates = drawn_wrong[drawn_words > 0] / drawn_words[drawn_words > 0]
    low, high = np.quantile(rates, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high), units.over, units.count)


def resample(
    values: Sequence[Counts], replicates: int = REPLICATES, seed: int = SEED
) -> Iterator[list[Counts]]:
    """Resamples all units with replacement and sums their values.

    Args:
        values: values of each unit, each of shape (units,); all are resampled alike.
        replicates: number of resampled test sets.
        seed: of the random numbers.

    Yields:
        The sums of each of ``values`` over a block of replicates, shape (block,).
    """
    count = len(values[0])
    random = np.random.default_rng(seed)
    # Small integers: several come from one random word, and they stay in the cache.
    dtype = np.uint16 if count <= 1 << 16 else np.uint32
    rows = max(1, _BLOCK // count)
    tables = [value.astype(np.int32) for value in values]
    for start in range(0, replicates, rows):
        shape = (min(rows, replicates - start), count)
        drawn = random.integers(0, count, shape, dtype=dtype)
        yield [table.take(drawn).sum(axis=1, dtype=np.int64) for table in tables]
