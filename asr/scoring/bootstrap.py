"""How far an error rate can be trusted: intervals by the bootstrap (Bisani and Ney 2004).

Test sets are drawn anew from the one at hand, whole speakers or utterances at a time, with
replacement. The spread of the error rate over these is its spread over other test sets of the same
make. Speakers are what is drawn where they are known: what one speaker says is hard or easy
together, and drawing utterances would make the interval too narrow.
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
MIN_SPEAKERS = 5  # below, redrawing speakers says next to nothing

_BLOCK = 1 << 21  # draws that are in memory together

Unit = Literal["speakers", "utterances"]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Interval:
    """Where an error rate lies, with the probability :data:`LEVEL`."""

    low: float  # fraction
    high: float
    over: Unit  # what was redrawn
    units: int  # how many of them there are


@dataclass(frozen=True)
class Units:
    """What is redrawn: speakers, or utterances where the speakers are not known."""

    over: Unit
    of: NDArray[np.int64]  # for each utterance the index of its unit
    count: int

    def sum(self, values: Sequence[int] | Counts) -> Counts:
        """Adds up one value of each utterance within each unit, shape (units,)."""
        sums = np.bincount(self.of, np.asarray(values, np.float64), minlength=self.count)
        return sums.astype(np.int64)


def resampling_units(speakers: Sequence[str | None]) -> Units:
    """What to redraw of a test set, given who speaks each utterance.

    Speakers if each utterance has one and there are at least :data:`MIN_SPEAKERS`, else utterances.
    """
    names = dict.fromkeys(speakers)
    if None not in names and len(names) >= MIN_SPEAKERS:
        index = {name: i for i, name in enumerate(names)}
        of = np.fromiter((index[name] for name in speakers), np.int64, len(speakers))
        return Units("speakers", of, len(names))
    return Units("utterances", np.arange(len(speakers)), len(speakers))


def interval(errors: Sequence[Errors], speakers: Sequence[str | None]) -> Interval | None:
    """The interval of the error rate of utterances taken together.

    Args:
        errors: of each utterance.
        speakers: of each utterance, None where not known.

    Returns:
        None where there is no rate, for want of reference words, or only one utterance.
    """
    units = resampling_units(speakers)
    words = units.sum([e.reference for e in errors])
    if units.count < 2 or not words.any():
        return None
    wrong = units.sum([e.total for e in errors])
    drawn_wrong, drawn_words = (
        np.concatenate(x) for x in zip(*redraw([wrong, words]), strict=True)
    )
    rates = drawn_wrong[drawn_words > 0] / drawn_words[drawn_words > 0]
    low, high = np.quantile(rates, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high), units.over, units.count)


def redraw(
    values: Sequence[Counts], replicates: int = REPLICATES, seed: int = SEED
) -> Iterator[list[Counts]]:
    """Draws as many units as there are, again and again, and adds up what they have.

    Args:
        values: quantities of each unit, each of shape (units,); all are drawn alike.
        replicates: how many times.
        seed: of the draws.

    Yields:
        A few replicates at a time, the sum of each quantity, shape (some,).
    """
    count = len(values[0])
    random = np.random.default_rng(seed)
    # Small integers are drawn several from one random word, and stay in the cache.
    dtype = np.uint16 if count <= 1 << 16 else np.uint32
    rows = max(1, _BLOCK // count)
    tables = [value.astype(np.int32) for value in values]
    for start in range(0, replicates, rows):
        shape = (min(rows, replicates - start), count)
        drawn = random.integers(0, count, shape, dtype=dtype)
        yield [table.take(drawn).sum(axis=1, dtype=np.int64) for table in tables]
