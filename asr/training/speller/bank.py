"""What the encoder said of recordings, cut into phones and put together anew.

An entry is a recording's rows, frame by frame, with the phones that were said in it and the frame
of each. A new sentence is tiled with stretches of the entries, each the longest there is (up to a
random length) with the right phones, and with the right neighbours if possible.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr.runtime.jit import compiled, inner
from asr.tokenizers.tokenizer import BLANK

_BITS, _KEY = 6, 10  # of a unit in a key, and how many units a key holds
_TRIES = 12  # stretches looked at for one with the right neighbour

END = (1 << _BITS) - 1  # stands before the first unit of an entry and behind the last

Rows = NDArray[np.float16]
Units = NDArray[np.uint8]
Frames = NDArray[np.int64]


@dataclass(frozen=True)
class Bank:
    """Entries, one after another, and where their units can be taken apart."""

    rows: Rows  # (frames, width)
    units: Units  # of all entries, END on either side of each
    first: Frames  # the frame that a stretch beginning with each unit begins with, or -1
    behind: Frames  # the frame behind a stretch ending with each unit, or -1
    keys: NDArray[np.uint64]  # of the next ten units, sorted
    order: NDArray[np.int64]  # the unit that each key begins with

    @classmethod
    def of(cls, rows: Rows, entries: Iterable[tuple[int, NDArray[np.integer]]]) -> Bank:
        """Sorts entries.

        Args:
            rows: of all entries, one after another.
            entries: of each its frames, and what the CTC path of the text says in each of them
                (two or more times as many), the blank or a unit below :data:`END`.
        """
        units, first, behind = [], [], []
        start = 0
        for frames, path in entries:
            said = (path != BLANK) & (path != np.concatenate([[BLANK], path[:-1]]))
            at = np.flatnonzero(said) * frames // len(path)
            at = np.concatenate([[0], at, [frames - 1]])
            units.append(np.concatenate([[END], path[said], [END]]).astype(np.uint8))
            # Halfway between two units, if they don't share a frame.
            apart = np.where(np.diff(at) > 0, at[:-1] + 1 + (np.diff(at) - 1) // 2, -1)
            apart = np.where(apart >= 0, apart + start, -1)
            first.append(np.concatenate([[start], apart]))
            behind.append(np.concatenate([apart, [start + frames]]))
            start += frames
        flat = np.concatenate(units)
        begins = np.concatenate(first)
        keys = np.zeros(len(flat), np.uint64)
        padded = np.concatenate([flat, np.zeros(_KEY, np.uint8)]).astype(np.uint64)
        for place in range(_KEY):
            keys |= padded[place : place + len(flat)] << np.uint64(_BITS * (_KEY - 1 - place))
        order = np.argsort(keys, kind="stable")
        order = order[begins[order] >= 0]
        return cls(rows, flat, begins, np.concatenate(behind), keys[order], order)

    def say(self, units: Sequence[int], longest: int, seed: int) -> Rows:
        """Rows as the encoder might have them if ``units`` were said, shape (frames, width).

        Args:
            units: below :data:`END`.
            longest: units of a stretch at most.
            seed: of the choice.
        """
        wanted = np.array([END, *units, END], np.uint8)
        tables = self.units, self.first, self.behind, self.keys, self.order
        spans = _tile(wanted, min(longest, _KEY - 1), seed, *tables)
        return np.concatenate([self.rows[start:end] for start, end in spans])


@compiled
def _tile(
    wanted: Units,
    longest: int,
    seed: int,
    units: Units,
    first: Frames,
    behind: Frames,
    keys: NDArray[np.uint64],
    order: NDArray[np.int64],
) -> list[tuple[int, int]]:
    """Spans of frames that say ``wanted``; a unit that no entry has is left out."""
    np.random.seed(seed)
    spans = [(0, 0)]
    at = 0
    while at < len(wanted):
        count = min(np.random.randint(2, longest + 1), len(wanted) - at)
        found = -1
        while count > 0:
            # First of all with what follows, which colours the end of the stretch.
            for seen in range(min(count + 1, len(wanted) - at), count - 1, -1):
                low, high = _range(keys, wanted[at : at + seen])
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
        if found < 0:  # never apart from what follows: its first frame will do
            count = 1
            low, high = _range(keys, wanted[at : at + 1])
            if high > low:
                place = order[np.random.randint(low, high)]
                spans.append((first[place], first[place] + 1))
        at += count
    return spans[1:]


@inner
def _range(keys: NDArray[np.uint64], units: Units) -> tuple[int, int]:
    """Which keys begin with ``units``."""
    key = np.uint64(0)
    for place in range(len(units)):
        key |= np.uint64(units[place]) << np.uint64(_BITS * (_KEY - 1 - place))
    step = np.uint64(1) << np.uint64(_BITS * (_KEY - len(units)))
    low, high = np.searchsorted(keys, key), np.searchsorted(keys, key + step)
    return low, high  # type: ignore[return-value]
