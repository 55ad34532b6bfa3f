"""Alignment with the most correct words among those with the fewest edits.

``A B`` becomes ``B C`` by two substitutions, or by deleting A and inserting C, and only the latter
counts B as correct. jiwer returns either. sclite, to which a substitution costs more than a
deletion or an insertion, returns the latter, and so does this module: errors are split as by
sclite, and the confusions of words make sense.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["equal", "substitute", "delete", "insert"]
Words = list[str]
Kinds = NDArray[np.uint8]  # indices into KINDS, shape (edits,)

KINDS: tuple[Kind, ...] = ("equal", "substitute", "delete", "insert")
_EQUAL, _SUBSTITUTE, _DELETE, _INSERT = range(4)

_CELLS = 1 << 22  # table cells in memory at a time


def fits(reference: Words, hypothesis: Words) -> bool:
    """Whether the table of this pair fits into memory; utterances of thousands of words do not."""
    return (len(reference) + 1) * (len(hypothesis) + 1) <= _CELLS


def most_right(pairs: Sequence[tuple[Words, Words]]) -> list[Kinds]:
    """Aligns pairs of a reference and a hypothesis, each of which :func:`fits`."""
    order = sorted(range(len(pairs)), key=lambda i: (len(pairs[i][0]), len(pairs[i][1])))
    found: dict[int, Kinds] = {}
    for block in _blocks(pairs, order):
        found |= zip(block, _align([pairs[index] for index in block]), strict=True)
    return [found[index] for index in range(len(pairs))]


def _blocks(pairs: Sequence[tuple[Words, Words]], order: Sequence[int]) -> Iterator[list[int]]:
    block: list[int] = []
    width = height = 0
    for index in order:
        reference, hypothesis = pairs[index]
        height, width = max(height, len(reference) + 1), max(width, len(hypothesis) + 1)
        if block and (len(block) + 1) * height * width > _CELLS:
            yield block
            block, height, width = [], len(reference) + 1, len(hypothesis) + 1
        block.append(index)
    if block:
        yield block


def _align(pairs: Sequence[tuple[Words, Words]]) -> list[Kinds]:
    """Aligns each pair, by dynamic programming over all pairs at once."""
    numbers: dict[str, int] = defaultdict(lambda: len(numbers))
    references = _padded([pair[0] for pair in pairs], numbers, -1)
    hypotheses = _padded([pair[1] for pair in pairs], numbers, -2)
    # An edit costs more than all correct words together save.
    edit = min(references.shape[1], hypotheses.shape[1]) + 1
    costs = _costs(references, hypotheses, edit)

    count = len(pairs)
    row = np.arange(count)
    i = np.array([len(pair[0]) for pair in pairs])
    j = np.array([len(pair[1]) for pair in pairs])
    kinds = np.zeros((count, references.shape[1] + hypotheses.shape[1]), np.uint8)
    steps = np.zeros(count, np.int64)
    while len(row):
        here = costs[i, row, j]
        equal = (i > 0) & (j > 0)
        equal &= references[row, i - 1] == hypotheses[row, j - 1]
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


def _costs(
    references: NDArray[np.int32], hypotheses: NDArray[np.int32], edit: int
) -> NDArray[np.int32]:
    """The least cost of each pair of prefixes.

    Returns:
        Shape (1 + reference words, pairs, 1 + hypothesis words).
    """
    count, width = hypotheses.shape
    costs = np.empty((references.shape[1] + 1, count, width + 1), np.int32)
    insertions = edit * np.arange(width + 1, dtype=np.int32)
    costs[0] = insertions
    for index in range(references.shape[1]):
        above, here = costs[index], costs[index + 1]
        step = np.where(references[:, index, None] == hypotheses, np.int32(-1), np.int32(edit))
        here[:, 0] = above[:, 0] + edit
        np.minimum(above[:, :-1] + step, above[:, 1:] + edit, out=here[:, 1:])
        # With the cost of insertions taken off, a path from the left is a running minimum.
        here -= insertions
        np.minimum.accumulate(here, axis=1, out=here)
        here += insertions
    return costs


def _padded(texts: Sequence[Words], numbers: dict[str, int], pad: int) -> NDArray[np.int32]:
    table = np.full((len(texts), max(map(len, texts))), pad, np.int32)
    for row, words in enumerate(texts):
        table[row, : len(words)] = [numbers[word] for word in words]
    return table
