"""Counting n-grams: packed into 64-bit keys, sorted in blocks, and the sorted runs merged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr.ngram.model import BOS, EOS
from asr.ngram.vocabulary import Corpus, with_starts
from asr.runtime.progress import bar

_BLOCK = 1 << 23  # tokens sorted at a time
_KEY_BITS = 64
_MILLION = 10**6

_Keys = NDArray[np.uint64]
_Run = tuple[_Keys, NDArray[np.uint32]]  # sorted keys, and how often each was seen


@dataclass(frozen=True)
class Counts:
    """The n-grams of one order that a text holds, sorted by parent and word.

    They are numbered from 0, and so are those of the order below. The unigrams are the words.
    """

    parent: NDArray[np.uint32]  # the n-gram without its last word; 0 for unigrams
    word: NDArray[np.uint32]  # its last word
    suffix: NDArray[np.uint32]  # the n-gram without its first word; 0 for unigrams
    count: NDArray[np.uint32]  # how often it was seen
    at_start: NDArray[np.bool_]  # whether it begins with <s>

    def __len__(self) -> int:
        return len(self.word)


def count_ngrams(corpus: Corpus, order: int) -> list[Counts]:
    """Counts the n-grams of the orders 1 to ``order``, <s> and </s> among their words.

    None reaches beyond its sentence. Memory is in proportion to the number of different n-grams,
    not to the length of the text.
    """
    size = len(corpus.words)
    words = np.arange(size, dtype=np.uint32)
    count = corpus.counts.astype(np.uint32)
    count[BOS] = count[EOS]
    root = np.zeros(size, np.uint32)
    levels = [Counts(root, words, root, count, words == BOS)]
    bits = (size - 1).bit_length()
    packed = _KEY_BITS // bits  # the highest order whose words fit into a key
    sorted_keys: list[_Keys] = [words.astype(np.uint64)]
    with bar() as progress:
        task = progress.add_task(
            "counting n-grams, M", total=(order - 1) * len(corpus.ids) // _MILLION
        )
        for length in range(2, order + 1):
            runs: list[_Run] = []
            for start in range(0, len(corpus.ids), _BLOCK):
                keys = _keys_of_block(corpus, start, length, bits, packed, sorted_keys)
                _add_run(runs, _reduce(keys))
                done = (length - 2) * len(corpus.ids) + start
                progress.update(task, completed=done // _MILLION)
            while len(runs) > 1:
                runs.append(_merge(runs.pop(), runs.pop()))
            keys, count = runs.pop()
            levels.append(_link(keys, count, length, bits, packed, sorted_keys[-1], levels[-1]))
            sorted_keys.append(keys)
    return levels


def _keys_of_block(
    corpus: Corpus, start: int, length: int, bits: int, packed: int, sorted_keys: list[_Keys]
) -> _Keys:
    """Keys of the n-grams of one length that begin in one block of the text.

    A key is the words packed; of those too long for that, the parent's number and the last word.
    """
    after = int(corpus.ids[start - 1]) if start else EOS
    end = start + _BLOCK
    beginnings = len(with_starts(corpus.ids[start:end], after=after))
    stream = with_starts(corpus.ids[start : end + length - 1], after=after)
    stream = np.append(stream, np.full(length, EOS, np.uint32))  # so that no index overflows
    position = np.arange(beginnings)
    keys = stream[:beginnings].astype(np.uint64)
    for offset in range(1, length):
        inside = stream[position + offset - 1] != EOS
        position, keys = position[inside], keys[inside]
        if offset >= packed:
            keys = np.searchsorted(sorted_keys[offset - 1], keys).astype(np.uint64)
        keys = (keys << np.uint64(bits)) | stream[position + offset]
    return keys


def _link(
    keys: _Keys,
    count: NDArray[np.uint32],
    length: int,
    bits: int,
    packed: int,
    keys_below: _Keys,
    below: Counts,
) -> Counts:
    """What the sorted keys of one length stand for."""
    prefix = keys >> np.uint64(bits)
    parent = (np.searchsorted(keys_below, prefix) if length <= packed else prefix).astype(np.uint32)
    word = (keys & np.uint64((1 << bits) - 1)).astype(np.uint32)
    suffix = word
    if length > 2:  # it is the child of the parent's suffix that has the same word
        pairs = (below.parent.astype(np.uint64) << np.uint64(32)) | below.word
        wanted = (below.suffix[parent].astype(np.uint64) << np.uint64(32)) | word
        suffix = np.searchsorted(pairs, wanted).astype(np.uint32)
    return Counts(parent, word, suffix, count, below.at_start[parent])


def _add_run(runs: list[_Run], run: _Run) -> None:
    """Appends a run, merging those of like size, so that all together stay few and small."""
    while runs and len(runs[-1][0]) < 2 * len(run[0]):
        run = _merge(runs.pop(), run)
    runs.append(run)


def _merge(a: _Run, b: _Run) -> _Run:
    keys = np.concatenate([a[0], b[0]])
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    first = _first_of_each(keys)
    counts = np.concatenate([a[1], b[1]])[order]
    return keys[first], np.add.reduceat(counts, first)


def _reduce(keys: _Keys) -> _Run:
    keys.sort()
    first = _first_of_each(keys)
    return keys[first], np.diff(first, append=len(keys)).astype(np.uint32)


def _first_of_each(keys: _Keys) -> NDArray[np.int64]:
    return np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
