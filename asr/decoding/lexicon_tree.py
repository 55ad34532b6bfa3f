"""A lexicon as a prefix tree over units, in flat arrays.

Nodes are numbered level by level, the root 0 first, and within a level in the order of their unit
sequences. So the children of a node lie side by side, sorted by unit, and the whole tree is a few
arrays that are built without a loop over words (80,000 of them take a fraction of a second).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from asr.errors import AsrError
from asr.tokenizers.tokenizer import BLANK, Tokenizer, UnrepresentableText

Entry = tuple[str, Sequence[int], float]
"""A word, the indices of the units that spell or pronounce it, the natural logarithm of the weight
of that spelling among those of the word."""


@dataclass(frozen=True, eq=False)
class LexiconTree:
    """Words by their units. A word may have several spellings, a spelling several words."""

    words: Sequence[str]  # by number, in the order of their first entries
    unit: NDArray[np.int32]  # [N] the last unit on the way to each node; the blank at the root
    first_child: NDArray[np.int32]  # [N + 1] i's children are first_child[i] to first_child[i + 1]
    first_word: NDArray[np.int32]  # [N + 1] the entries that end at i, likewise in `word`
    word: NDArray[np.int32]  # [E] numbers of words, most likely first at each node
    log_weight: NDArray[np.float32]  # [E] natural logarithm

    @classmethod
    def build(cls, entries: Iterable[Entry]) -> LexiconTree:
        """The tree of ``entries``; of an entry that stands twice, the greater weight counts.

        Raises:
            AsrError: an entry has no units, a blank among them, or a weight that is no number.
        """
        return cls._grown(_Rows.none(), entries)

    def with_entries(self, entries: Iterable[Entry]) -> LexiconTree:
        """A tree with ``entries`` added; its first words are those of this tree."""
        return LexiconTree._grown(self._rows(), entries)

    @classmethod
    def _grown(cls, old: _Rows, entries: Iterable[Entry]) -> LexiconTree:
        numbers = {word: number for number, word in enumerate(old.words)}
        spellings: list[Sequence[int]] = []
        weights: list[float] = []
        owners: list[int] = []
        for word, units, weight in entries:
            owners.append(numbers.setdefault(word, len(numbers)))
            spellings.append(units)
            weights.append(weight)
        words = list(numbers)
        rows = old.joined(words, spellings, owners, weights)

        order = np.lexsort((rows.owner, -rows.log_weight, *rows.units[:, ::-1].T))
        unit, first_child, node = _nodes(rows.units[order])
        by_node = np.argsort(node, kind="stable")
        order, node = order[by_node], node[by_node]
        kept = _first_of_each(node.astype(np.int64) * len(words) + rows.owner[order])
        order, first_word = order[kept], _starts(node[kept], len(unit))
        return cls(words, unit, first_child, first_word, rows.owner[order], rows.log_weight[order])

    @cached_property
    def number(self) -> dict[str, int]:
        """The number of each word."""
        return {word: number for number, word in enumerate(self.words)}

    def entries(self) -> Iterator[Entry]:
        """The entries that the tree was built from, by nodes."""
        rows = self._rows()
        for owner, units, weight in zip(rows.owner, rows.units, rows.log_weight, strict=True):
            yield self.words[owner], units[units >= 0].tolist(), float(weight)

    def _rows(self) -> _Rows:
        parent = np.zeros(len(self.unit), np.int64)
        parent[1:] = np.repeat(np.arange(len(self.unit)), np.diff(self.first_child))
        at = np.repeat(np.arange(len(self.unit)), np.diff(self.first_word))
        columns = []
        while at.any():  # from the last units to the first ones, all words at once
            columns.append(np.where(at > 0, self.unit[at], -1))
            at = parent[at]
        units = np.array(columns[::-1], np.int32).reshape(len(columns), len(self.word)).T
        missing = (units < 0).sum(axis=1, keepdims=True)
        shifted = np.arange(len(columns)) + missing
        filled = np.take_along_axis(units, np.minimum(shifted, len(columns) - 1), axis=1)
        units = np.where(shifted < len(columns), filled, -1).astype(np.int32)
        return _Rows(self.words, units, self.word, self.log_weight)

    def best_below(self, value: NDArray[np.floating]) -> NDArray[np.float64]:
        """For each node the greatest ``value`` of an entry at it or below, shape (N,).

        Args:
            value: of each entry, shape (E,), in the order of ``word``.
        """
        best = np.full(len(self.unit), -math.inf)
        held = np.flatnonzero(np.diff(self.first_word))
        if len(held):
            best[held] = np.maximum.reduceat(value.astype(np.float64), self.first_word[held])
        levels = [0, 1]
        while levels[-1] < len(self.unit):
            levels.append(int(self.first_child[levels[-1]]))
        for first, last in zip(levels[-2::-1], levels[:0:-1], strict=True):  # the deepest first
            inner = first + np.flatnonzero(np.diff(self.first_child[first : last + 1]))
            if len(inner):
                below = best[: self.first_child[last]]
                best[inner] = np.maximum(
                    best[inner], np.maximum.reduceat(below, self.first_child[inner])
                )
        return best


def spelled(words: Iterable[str], tokenizer: Tokenizer) -> Iterator[Entry]:
    """Entries of those ``words`` that the tokenizer can spell."""
    for word in words:
        try:
            yield word, tokenizer.encode(word), 0.0
        except UnrepresentableText:
            continue


@dataclass(frozen=True)
class _Rows:
    """A lexicon as a table."""

    words: Sequence[str]
    units: NDArray[np.int32]  # [E, longest] the units of each entry, filled up with -1
    owner: NDArray[np.int32]  # [E]
    log_weight: NDArray[np.float32]  # [E]

    @classmethod
    def none(cls) -> _Rows:
        return cls((), np.zeros((0, 0), np.int32), np.zeros(0, np.int32), np.zeros(0, np.float32))

    def joined(
        self,
        words: Sequence[str],
        spellings: Sequence[Sequence[int]],
        owners: Sequence[int],
        weights: Sequence[float],
    ) -> _Rows:
        """These rows and more, checked."""
        lengths = np.fromiter(map(len, spellings), np.int64, len(spellings))
        if 0 in lengths:
            wrong = words[owners[int(lengths.argmin())]]
            raise AsrError(f"the lexicon has no units for {wrong!r}")
        flat = np.fromiter(chain.from_iterable(spellings), np.int32, int(lengths.sum()))
        row = np.repeat(np.arange(len(lengths)), lengths)
        if len(flat) and flat.min() <= BLANK:
            wrong = words[owners[int(row[flat.argmin()])]]
            raise AsrError(f"the lexicon spells {wrong!r} with a blank, which is no unit of words")
        log_weight = np.array(weights, np.float32)
        if not (log_weight < math.inf).all():
            wrong = words[owners[int((log_weight < math.inf).argmin())]]
            raise AsrError(f"the lexicon's weight of {wrong!r} is not a number")

        old, longest = self.units.shape
        units = np.full((old + len(lengths), max(longest, lengths.max(initial=0))), -1, np.int32)
        units[:old, :longest] = self.units
        starts = np.repeat(lengths.cumsum() - lengths, lengths)
        units[old + row, np.arange(len(flat)) - starts] = flat
        return _Rows(
            words,
            units,
            np.append(self.owner, np.array(owners, np.int32)),
            np.append(self.log_weight, log_weight),
        )


def _nodes(
    rows: NDArray[np.int32],
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """The units and first children of all nodes, and the node of each of the sorted ``rows``."""
    at = np.zeros(len(rows), np.int32)  # the node of each row at the depth reached
    units, parents = [np.array([BLANK], np.int32)], [np.zeros(0, np.int32)]
    new = np.zeros(len(rows), bool)
    new[:1] = True
    count = 1
    for column in rows.T:
        alive = column >= 0
        new[1:] |= column[1:] != column[:-1]
        opens = new & alive
        units.append(column[opens])
        parents.append(at[opens])
        at = np.where(alive, count - 1 + np.cumsum(opens, dtype=np.int32), at)
        count += len(units[-1])
    unit = np.concatenate(units)
    return unit, 1 + _starts(np.concatenate(parents), len(unit)), at


def _starts(owner: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """Where the members of each of ``count`` owners begin, ``owner`` being sorted, and the end."""
    starts = np.zeros(count + 1, np.int32)
    np.cumsum(np.bincount(owner, minlength=count), out=starts[1:])
    return starts


def _first_of_each(key: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each value of ``key`` stands for the first time, in order."""
    return np.sort(np.unique(key, return_index=True)[1])
