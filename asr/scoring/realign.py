"""Of all alignments with the fewest edits, one with the most words right.

For ``A B`` heard as ``B C``, two substitutions are as many edits as deleting A and inserting C, and
only the latter sees that B was heard. jiwer gives any of them; sclite, which weighs a substitution
more than a deletion or an insertion, the latter, and so do we: the errors are split as by sclite,
and which words are mistaken for which makes sense.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["equal", "substitute", "delete", "insert"]
Words = list[str]
Kinds = NDArray[np.uint8]  # of the edits in their order: indices of KINDS

KINDS: tuple[Kind, ...] = ("equal", "substitute", "delete", "insert")
_EQUAL, _SUBSTITUTE, _DELETE, _INSERT = range(4)

_CELLS = 1 << 22  # of the tables that are in memory together


def fits(reference: Words, hypothesis: Words) -> bool:
    """False of utterances of thousands of words, whose table would be too large."""
    return (len(reference) + 1) * (len(hypothesis) + 1) <= _CELLS


def most_right(pairs: Sequence[tuple[Words, Words]]) -> list[Kinds]:
    """Aligns references with hypotheses that :func:`fits` says will do."""
    order = sorted(range(len(pairs)), key=lambda i: (len(pairs[i][0]), len(pairs[i][1])))
    found: dict[int, Kinds] = {}
    for block in _blocks(pairs, order):
        found |= zip(block, _align([pairs[index] for index in block]), strict=True)
    return [found[index] for index in range(len(pairs))]


def _blocks(pairs: Sequence[tuple[Words, Words]], order: Sequence[int]) -> Iterator[list[int]]:
    block: list[int] = []
    width = height = 0
    for index in order:
        said, heard = pairs[index]
        height, width = max(height, len(said) + 1), max(width, len(heard) + 1)
        if block and (len(block) + 1) * height * width > _CELLS:
            yield block
            block, height, width = [], len(said) + 1, len(heard) + 1
        block.append(index)
    if block:
        yield block


def _align(pairs: Sequence[tuple[Words, Words]]) -> list[Kinds]:
    """The edits of each pair, by dynamic programming over all of them at once."""
    numbers: dict[str, int] = defaultdict(lambda: len(numbers))
    said = _padded([pair[0] for pair in pairs], numbers, -1)
    heard = _padded([pair[1] for pair in pairs], numbers, -2)
    # Edits come first, then words that are right: no number of those outweighs an edit.
    edit = min(said.shape[1], heard.shape[1]) + 1
    costs = _costs(said, heard, edit)

    count = len(pairs)
    row = np.arange(count)
    i = np.array([len(pair[0]) for pair in pairs])
    j = np.array([len(pair[1]) for pair in pairs])
    kinds = np.zeros((count, said.shape[1] + heard.shape[1]), np.uint8)
    steps = np.zeros(count, np.int64)
    while len(row):
        here = costs[i, row, j]
        equal = (i > 0) & (j > 0)
        equal &= said[row, i - 1] == heard[row, j - 1]
        substituted = (i > 0) & (j > 0) & ~equal & (costs[i - 1, row, j - 1] + edit == here)
        deleted = (i > 0) & ~equal & ~substituted & (costs[i - 1, row, j] + edit == here)
        kind = np.select([equal, substituted, deleted], [_EQUAL, _SUBSTITUTE, _DELETE], _INSERT)
        kinds[row, steps[row]] = kind
        steps[row] += 1
        i -= kind != _INSERT
        j -= kind != _DELETE
        left = (i > 0) | (j > 0)
        row, i, j = row[left], i[left], j[left]
    return [kinds[index, :length][::-1] for index, length in enumerate(steps.tolist())]


def _costs(said: NDArray[np.int32], heard: NDArray[np.int32], edit: int) -> NDArray[np.int32]:
    """The least cost of each pair of beginnings, shape (1 + words said, pairs, 1 + words heard)."""
    count, width = heard.shape
    costs = np.empty((said.shape[1] + 1, count, width + 1), np.int32)
    insertions = edit * np.arange(width + 1, dtype=np.int32)
    costs[0] = insertions
    for index in range(said.shape[1]):
        above, here = costs[index], costs[index + 1]
        step = np.where(said[:, index, None] == heard, np.int32(-1), np.int32(edit))
        here[:, 0] = above[:, 0] + edit
        np.minimum(above[:, :-1] + step, above[:, 1:] + edit, out=here[:, 1:])
        # What comes from the left is a running minimum once insertions are free.
        here -= insertions
        np.minimum.accumulate(here, axis=1, out=here)
        here += insertions
    return costs


def _padded(texts: Sequence[Words], numbers: dict[str, int], pad: int) -> NDArray[np.int32]:
    table = np.full((len(texts), max(map(len, texts))), pad, np.int32)
    for row, words in enumerate(texts):
        table[row, : len(words)] = [numbers[word] for word in words]
    return table
