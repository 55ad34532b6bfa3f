"""The best CTC path through a known sequence of units (Graves et al. 2006, section 4.1, with the
maximum in place of the sum; Kürzinger et al. 2020, arXiv 2007.09127).

The trellis of five hours has 450,000 frames times 700,000 states. torchaudio's ``forced_align``
keeps a byte for each, which suits minutes; a beam would prune the right path where the audio holds
speech that the text lacks. Two techniques bound memory and time instead:

*Checkpoints.* Backpointers are not kept. The scores of every 4,096th frame are, from which blocks
are searched again, the last block first. A path that ends a block at some unit began it at most
4,096 units before, so the second search is cheap, and the result is exact.

*A window.* Of a text of more than 32,768 units (some 40 minutes of speech), only a window of that
size around the best unit is searched: a path may deviate by 20 minutes of speech. If the end of the
text is not reached, the window doubles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.alignment.log_prob_rows import Rows
from asr.errors import AsrError
from asr.runtime.jit import compiled
from asr.tokenizers.tokenizer import BLANK

_BLOCK = 4096  # frames between checkpoints
_WINDOW = 32_768  # units

_LOST = np.float32(-np.inf)

# Backpointers of a unit and of the blank before it, as bits of one byte.
_FROM_BLANK = 1  # to the unit, from the blank before it
_FROM_UNIT = 2  # to the unit, from the unit before it
_BLANK_FROM_UNIT = 4  # to the blank, from the unit before it

Floats = NDArray[np.float32]
Indices = NDArray[np.int32]


@dataclass(frozen=True)
class Spans:
    """Frames of the units on the best path; arrays of shape (units,)."""

    start: Indices  # the first frame of each unit
    end: Indices  # the frame behind its last one
    log_prob: NDArray[np.float64]  # natural logarithm, the mean over its frames
    score: float  # natural logarithm of the probability of the path


class _Scores(NamedTuple):
    """Scores of the best paths to the states of a window of units, at one frame."""

    first: int  # the first unit of the window
    blank: Floats  # of the blank before each unit, and of that behind the last: (units + 1,)
    unit: Floats  # of each unit, (units,)
    base: float  # offset of all scores

    def best(self) -> int:
        """The unit of the best path, relative to the window."""
        return int(np.maximum(self.blank[:-1], self.unit).argmax())


def best_path(
    rows: Rows, units: Sequence[int], *, window: int = _WINDOW, block: int = _BLOCK
) -> Spans:
    """Finds the likeliest CTC path that emits exactly ``units``.

    Args:
        rows: natural logarithms of the probabilities of all units, the blank first.
        units: the text, without blanks; at least one.
        window: units searched at a time.
        block: frames between checkpoints, no more than half the window.

    Raises:
        AsrError: there are too few frames for the units, or a value that is not a number.
    """
    text = np.asarray(units, np.uint16)
    fresh = np.append(True, text[1:] != text[:-1])  # units that need no blank before them
    needed = len(text) + int((~fresh).sum())
    if needed > len(rows):
        raise AsrError(
            f"the text is too long for the audio: its {len(text)} units need {needed} frames, "
            f"and there are {len(rows)}"
        )
    while True:
        checkpoints, last = _search(rows, text, fresh, window, block)
        ends = last.unit[-1], last.blank[-1]
        if window >= len(text) or (last.first + window >= len(text) and max(ends) > _LOST):
            break
        window *= 2
    if not np.isfinite(max(ends)):
        raise AsrError("the model's log-probabilities for the audio are not numbers")
    spans = Spans(
        np.zeros(len(text), np.int32),
        np.zeros(len(text), np.int32),
        np.zeros(len(text), np.float64),
        last.base + float(max(ends)),
    )
    at, in_unit = (len(text) - 1, True) if ends[0] >= ends[1] else (len(text), False)
    for number in range(len(checkpoints) - 1, -1, -1):
        begun = checkpoints[number]
        frames = rows.read(number * block, (number + 1) * block)
        lowest = max(begun.first, at - len(frames))
        inside = slice(lowest - begun.first, at + 1 - begun.first)
        at, in_unit = _trace(
            frames,
            number * block,
            text,
            fresh,
            lowest,
            begun.blank[inside],
            begun.unit[inside],
            at,
            in_unit,
            (spans.start, spans.end, spans.log_prob),
        )
    spans.log_prob[:] /= spans.end - spans.start  # spans hold no blank frames
    return spans


def _search(
    rows: Rows, text: NDArray[np.uint16], fresh: NDArray[np.bool_], window: int, block: int
) -> tuple[list[_Scores], _Scores]:
    """The scores before each block, and those behind the last."""
    size = min(window, len(text))
    blank, unit = np.full(size + 1, _LOST), np.full(size, _LOST)
    blank[0] = 0.0  # the path starts in a blank before the first frame
    scores = _Scores(0, blank, unit, 0.0)
    checkpoints = []
    for start in range(0, len(rows), block):
        scores = _move_window(scores, len(text))
        checkpoints.append(scores)
        inside = slice(scores.first, scores.first + size)
        frames = rows.read(start, start + block)
        blank, unit = _advance(frames, text[inside], fresh[inside], scores.blank, scores.unit)
        scores = scores._replace(blank=blank, unit=unit)
    return checkpoints, scores


def _move_window(scores: _Scores, units: int) -> _Scores:
    """Moves the window forwards until the best unit is in its middle."""
    size = len(scores.unit)
    shift = min(max(scores.best() - size // 2, 0), units - size - scores.first)
    # Rescaled to zero: after hours, float32 sums could not tell neighbouring states apart.
    peak = max(scores.blank.max(), scores.unit.max())
    blank, unit = np.full(size + 1, _LOST), np.full(size, _LOST)
    blank[: size + 1 - shift] = scores.blank[shift:] - peak
    unit[: size - shift] = scores.unit[shift:] - peak
    return _Scores(scores.first + shift, blank, unit, scores.base + float(peak))


@compiled
def _advance(
    rows: Floats,
    text: NDArray[np.uint16],
    fresh: NDArray[np.bool_],
    blank: Floats,
    unit: Floats,
) -> tuple[Floats, Floats]:
    """Advances the scores over ``rows``."""
    size = len(text)
    next_blank, next_unit = np.full_like(blank, _LOST), np.full_like(unit, _LOST)
    blank, unit = blank.copy(), unit.copy()
    reached = 0  # reachable units: one more with each frame
    for k in range(size):
        if unit[k] > _LOST or blank[k] > _LOST:
            reached = k + 1
    for t in range(len(rows)):
        row = rows[t]
        next_blank[0] = blank[0] + row[BLANK]
        next_unit[0] = max(unit[0], blank[0]) + row[text[0]]
        for k in range(1, reached):
            before = unit[k - 1]
            next_blank[k] = max(blank[k], before) + row[BLANK]
            into = before if fresh[k] else _LOST
            next_unit[k] = max(max(unit[k], blank[k]), into) + row[text[k]]
        if reached < size:
            before = unit[reached - 1]
            next_blank[reached] = before + row[BLANK]
            next_unit[reached] = (before if fresh[reached] else _LOST) + row[text[reached]]
            reached += 1
        else:
            next_blank[size] = max(blank[size], unit[size - 1]) + row[BLANK]
        blank, next_blank = next_blank, blank
        unit, next_unit = next_unit, unit
    return blank, unit


@compiled
def _trace(
    rows: Floats,
    first_frame: int,
    text: NDArray[np.uint16],
    fresh: NDArray[np.bool_],
    lowest: int,
    blank: Floats,
    unit: Floats,
    at: int,
    in_unit: bool,
    spans: tuple[Indices, Indices, NDArray[np.float64]],
) -> tuple[int, bool]:
    """Traces the path that ends ``rows`` at a unit, or at the blank before it, back to their start.

    Args:
        rows: the frames, from ``first_frame`` on.
        text: all units.
        fresh: whether each differs from its predecessor.
        lowest: the first unit that the path can start from.
        blank: scores before the frames, from ``lowest`` up to ``at``.
        unit: likewise.
        at: where the path ends.
        in_unit: whether that is the unit itself.
        spans: starts, ends and sums of log-probabilities of all units, filled in place.

    Returns:
        The start of the path, as ``at`` and ``in_unit``.
    """
    starts, ends, sums = spans
    size = at + 1 - lowest
    backpointers = np.zeros((len(rows), size), np.uint8)
    blank, unit = blank.copy(), np.append(unit, _LOST)  # the last blank has no unit
    for t in range(len(rows)):
        row = rows[t]
        for k in range(size - 1, -1, -1):  # downwards: predecessors still hold the previous frame
            here = lowest + k
            before = unit[k - 1] if k > 0 else _LOST
            how = 0
            if here < len(text):
                best = unit[k]
                if blank[k] > best:
                    best, how = blank[k], _FROM_BLANK
                if fresh[here] and before > best:
                    best, how = before, _FROM_UNIT
                unit[k] = best + row[text[here]]
            if before > blank[k]:
                blank[k] = before
                how |= _BLANK_FROM_UNIT
            blank[k] += row[BLANK]
            backpointers[t, k] = how
    k = at - lowest
    for t in range(len(rows) - 1, -1, -1):
        how = backpointers[t, k]
        if in_unit:
            here = lowest + k
            frame = first_frame + t
            starts[here] = frame
            if ends[here] == 0:
                ends[here] = frame + 1
            sums[here] += rows[t, text[here]]
            if how & _FROM_BLANK:
                in_unit = False
            elif how & _FROM_UNIT:
                k -= 1
        elif how & _BLANK_FROM_UNIT:
            in_unit = True
            k -= 1
    return lowest + k, in_unit
