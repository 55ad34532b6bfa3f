"""Unit selection on encoder outputs: frames of recordings, indexed and joined to new sentences.

An entry holds the frames of a recording and the units (phones or characters) that occur in it, with
the frame of each. A sentence is synthesised from segments of entries (Hunt and Black 1996): each
the longest available, up to a random length, with the right units, and with the right neighbours
where possible.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr.runtime.jit import compiled, inner
from asr.tokenizers.tokenizer import BLANK

_BITS, _KEY = 6, 10  # of a unit in a key, and units of a key
_TRIES = 12  # segments tried for one with the right neighbour

END = (1 << _BITS) - 1  # the unit before and behind each entry

Rows = NDArray[np.float16]
Units = NDArray[np.uint8]
Frames = NDArray[np.int64]


@dataclass(frozen=True)
class SegmentInventory:
    """Entries, one after another, with the places where they can be cut."""

    rows: Rows  # encoder outputs, shape (frames, width)
    units: Units  # of all entries, each between two END
    first: Frames  # first frame of a segment that begins with each unit, -1 where none can
    behind: Frames  # frame behind a segment that ends with each unit, -1 where none can
    keys: NDArray[np.uint64]  # each the next ten units, sorted
    order: NDArray[np.int64]  # the unit that each key begins with

    @classmethod
    def build(
        cls, rows: Rows, entries: Iterable[tuple[int, NDArray[np.integer]]]
    ) -> SegmentInventory:
        """Indexes entries.

        Args:
            rows: of all entries, one after another.
            entries: of each its number of frames, and its CTC path with one or more labels a
                frame, each the blank or a unit below :data:`END`.
        """
        units, first, behind = [], [], []
        start = 0
        for frames, path in entries:
            begins = (path != BLANK) & (path != np.concatenate([[BLANK], path[:-1]]))
            at = np.flatnonzero(begins) * frames // len(path)
            at = np.concatenate([[0], at, [frames - 1]])
            units.append(np.concatenate([[END], path[begins], [END]]).astype(np.uint8))
            # A cut lies halfway between two units, unless they share a frame.
            cuts = np.where(np.diff(at) > 0, at[:-1] + 1 + (np.diff(at) - 1) // 2, -1)
            cuts = np.where(cuts >= 0, cuts + start, -1)
            first.append(np.concatenate([[start], cuts]))
            behind.append(np.concatenate([cuts, [start + frames]]))
            start += frames
        flat = np.concatenate(units)
        firsts = np.concatenate(first)
        keys = np.zeros(len(flat), np.uint64)
        padded = np.concatenate([flat, np.zeros(_KEY, np.uint8)]).astype(np.uint64)
        for place in range(_KEY):
            keys |= padded[place : place + len(flat)] << np.uint64(_BITS * (_KEY - 1 - place))
        order = np.argsort(keys, kind="stable")
        order = order[firsts[order] >= 0]
        return cls(rows, flat, firsts, np.concatenate(behind), keys[order], order)

    def synthesise(self, units: Sequence[int], longest: int, seed: int) -> Rows:
        """Encoder outputs for ``units``, shape (frames, width); units of no entry are left out.

        Args:
            units: below :data:`END`.
            longest: units of a segment at most.
            seed: of the choice between segments.
        """
        wanted = np.array([END, *units, END], np.uint8)
        tables = self.units, self.first, self.behind, self.keys, self.order
        spans = _select(wanted, min(longest, _KEY - 1), seed, *tables)
        return np.concatenate([self.rows[start:end] for start, end in spans])


@compiled
def _select(
    wanted: Units,
    longest: int,
    seed: int,
    units: Units,
    first: Frames,
    behind: Frames,
    keys: NDArray[np.uint64],
    order: NDArray[np.int64],
) -> list[tuple[int, int]]:
    """Selects segments for ``wanted``; returns their spans of frames."""
    np.random.seed(seed)
    spans = [(0, 0)]
    at = 0
    while at < len(wanted):
        count = min(np.random.randint(2, longest + 1), len(wanted) - at)
        found = -1
        while count > 0:
            # The unit behind a segment colours its end: segments with the right one come first.
            for context in range(min(count + 1, len(wanted) - at), count - 1, -1):
                low, high = _range(keys, wanted[at : at + context])
                for _ in range(_TRIES if high > low else 0):
                    place = order[np.random.randint(low, high)]
                    if behind[place + count - 1] < 0:
                        continue
                    found = place
                    if at == 0 or units[place - 1] == wanted[at - 1]:
                        break
                if found >= 0:
                    break
            if found >= 0:
                spans.append((first[found], behind[found + count - 1]))
                break
            count -= 1
        if found < 0:  # The unit never ends at a cut: its first frame stands for it.
            count = 1
            low, high = _range(keys, wanted[at : at + 1])
            if high > low:
                place = order[np.random.randint(low, high)]
                spans.append((first[place], first[place] + 1))
        at += count
    return spans[1:]


@inner
def _range(keys: NDArray[np.uint64], units: Units) -> tuple[int, int]:
    """The range of the keys that begin with ``units``."""
    key = np.uint64(0)
    for place in range(len(units)):
        key |= np.uint64(units[place]) << np.uint64(_BITS * (_KEY - 1 - place))
    step = np.uint64(1) << np.uint64(_BITS * (_KEY - len(units)))
    low, high = np.searchsorted(keys, key), np.searchsorted(keys, key + step)
    return low, high  # type: ignore[return-value]
