"""Joins segments that overlap in time, so that every word is kept once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from asr.transcript import Segment, Word

_STEP = 0.01  # seconds between the cuts that are tried


def join(left: Segment, right: Segment) -> tuple[Segment, Segment]:
    """Cuts two segments that overlap in time, so that each word of the overlap is in one of them.

    The cut is in the middle half of the overlap, where both have context enough, at the time that
    is farthest from all words of either: in the widest gap between the words of both. A word goes
    to the side on which its middle lies. Where words leave no gap, the right side begins behind the
    last word that the left side keeps, whatever either of them recognised there.

    Scores stay those of the uncut segments; n-best lists, of which only the best is cut, go.
    """
    quarter = (left.end - right.start) / 4
    if quarter <= 0:
        return left, right
    cut, clearance = _clearest(
        [*left.words, *right.words], right.start + quarter, left.end - quarter
    )
    before = tuple(word for word in left.words if _middle(word) < cut)
    border = before[-1].end if before and clearance < 0 else cut
    behind = tuple(word for word in right.words if _middle(word) >= border)
    return (
        replace(left, end=cut, text=_text(before), words=before, readings=()),
        replace(right, start=cut, text=_text(behind), words=behind, readings=()),
    )


def _clearest(words: Sequence[Word], low: float, high: float) -> tuple[float, float]:
    """The time from ``low`` to ``high`` that is farthest from all words, and its distance.

    The distance is negative inside a word. Of times equally far, the middlemost.
    """
    count = max(2, round((high - low) / _STEP) + 1)
    times = np.linspace(low, high, count)
    starts = np.array([word.start for word in words])[:, None]
    ends = np.array([word.end for word in words])[:, None]
    away = np.maximum(starts - times, times - ends)
    # A distance above the width of the range is far enough, and lets the middle decide.
    clearance = away.min(axis=0, initial=(high - low)).round(6)
    off_centre = np.abs(times - (low + high) / 2)
    best = int(np.lexsort((off_centre, -clearance))[0])
    return round(float(times[best]), 3), float(clearance[best])


def _middle(word: Word) -> float:
    return (word.start + word.end) / 2


def _text(words: Sequence[Word]) -> str:
    return " ".join(word.text for word in words)
