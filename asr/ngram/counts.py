"""Counting n-grams: packed into 64-bit keys, sorted in blocks, and the sorted runs merged.

What is passed over the n-grams of a whole library is compiled by numba: in NumPy each step of it
would be an array of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr.ngram.model import BOS, EOS
from asr.ngram.vocabulary import Corpus, with_starts
from asr.runtime.jit import compiled
from asr.runtime.progress import bar

_BLOCK = 1 << 23  # tokens sorted at a time
_KEY_BITS = 64
_MILLION = 10**6

_Keys = NDArray[np.uint64]
_Run = tuple[_Keys, NDArray[np.uint32]]  # sorted keys, and how often each was seen


@dataclass(frozen=True)
class Rare:
    """What is left of the n-grams of the highest order that were seen too seldom to be listed."""

    by_parent: NDArray[np.int64]  # their occurrences, summed over the n-grams of the order below
    by_suffix: NDArray[np.int64]
    n: NDArray[np.int64]  # [6] how many were seen 0, 1, 2, 3, 4 and at least 5 times


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
    rare: Rare | None = None  # those that are not listed; without it all are

    def __len__(self) -> int:
        return len(self.word)


def count_ngrams(corpus: Corpus, order: int, least: int = 1) -> list[Counts]:
    """Counts the n-grams of the orders 1 to ``order``, <s> and </s> among their words.

    None reaches beyond its sentence. Memory is in proportion to the number of different n-grams,
    not to the length of the text.

    Args:
        corpus: the text, in the ids of the vocabulary.
        order: the highest order, at least 1.
        least: how often those of the highest order were seen that are listed, if that is above 1.
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
                runs.append(_merge(*runs.pop(), *runs.pop()))
            keys, count = runs.pop()
            below = levels[-2] if length > 2 else None
            levels.append(
                _link(
                    keys,
                    count,
                    None if length > packed else sorted_keys[-1],
                    levels[-1],
                    0 if below is None else len(below),
                    bits,
                    least if length == order else 1,
                )
            )
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
            keys = _numbers(sorted_keys[offset - 1], keys)
        keys = (keys << np.uint64(bits)) | stream[position + offset]
    return keys


def _numbers(sorted_keys: _Keys, keys: _Keys) -> _Keys:
    """The places of ``keys`` among the sorted ones, in whose order they are looked up.

    One after the other at random takes several times as long: each would wait for the memory.
    """
    order = np.argsort(keys)
    numbers = np.empty(len(keys), np.uint64)
    numbers[order] = np.searchsorted(sorted_keys, keys[order])
    return numbers


def _link(
    keys: _Keys,
    count: NDArray[np.uint32],
    keys_below: _Keys | None,
    below: Counts,
    size_two_below: int,
    bits: int,
    least: int,
) -> Counts:
    """What the sorted keys of one length stand for, if they were seen often enough.

    Args:
        keys: of all n-grams of the length.
        count: how often each was seen.
        keys_below: by which parents are found; none where they are given by number.
        below: the n-grams that are a word shorter.
        size_two_below: how many there are that are two words shorter.
        bits: of a word in a key.
        least: of the counts, for an n-gram to be listed.
    """
    size = int(np.count_nonzero(count >= least))
    columns = {name: np.empty(size, np.uint32) for name in ("parent", "word", "suffix", "count")}
    rare = None
    if least > 1:
        rare = Rare(np.zeros(len(below), np.int64), np.zeros(len(below), np.int64), _histogram([]))
    children = np.bincount(below.parent, minlength=max(1, size_two_below))
    first_child = np.concatenate([[0], np.cumsum(children)])
    end = 0
    for start in range(0, len(keys), _BLOCK):
        part = keys[start : start + _BLOCK]
        seen = count[start : start + _BLOCK]
        prefix = part >> np.uint64(bits)
        parent = prefix if keys_below is None else np.searchsorted(keys_below, prefix)
        word = (part & np.uint64((1 << bits) - 1)).astype(np.uint32)
        suffix = word
        if size_two_below:
            suffix = np.empty_like(word)
            _find_suffixes(
                parent.astype(np.uint32), word, below.suffix, first_child, below.word, suffix
            )
        often = seen >= least
        if rare:
            seldom = ~often
            np.add.at(rare.by_parent, parent[seldom], seen[seldom])
            np.add.at(rare.by_suffix, suffix[seldom], seen[seldom])
            rare.n[:] += _histogram(seen[seldom])
        start, end = end, end + int(np.count_nonzero(often))
        for name, values in zip(columns, (parent, word, suffix, seen), strict=True):
            columns[name][start:end] = values[often]
    return Counts(**columns, at_start=below.at_start[columns["parent"]], rare=rare)


def _histogram(counts: Any) -> NDArray[np.int64]:
    """How many of them are 0, 1, 2, 3, 4 and at least 5."""
    return np.bincount(np.minimum(np.asarray(counts, np.int64), 5), minlength=6)


@compiled
def _find_suffixes(
    parent: Any, word: Any, suffix_below: Any, first_child: Any, word_below: Any, out: Any
) -> None:
    """The child of the parent's suffix that has the same word, for n-grams sorted by both."""
    index = 0
    while index < len(parent):
        current = parent[index]
        family = suffix_below[current]
        low, end = first_child[family], first_child[family + 1]
        while index < len(parent) and parent[index] == current:
            wanted = word[index]
            high, step = low, 1
            while high < end and word_below[high] < wanted:  # ever longer steps, then bisection
                low = high + 1
                high += step
                step *= 2
            high = min(high, end)
            while low < high:
                middle = (low + high) >> 1
                if word_below[middle] < wanted:
                    low = middle + 1
                else:
                    high = middle
            out[index] = low
            index += 1


def _add_run(runs: list[_Run], run: _Run) -> None:
    """Appends a run, merging those of like size, so that all together stay few and small."""
    while runs and len(runs[-1][0]) < 2 * len(run[0]):
        run = _merge(*runs.pop(), *run)
    runs.append(run)


@compiled
def _merge(keys: Any, count: Any, other_keys: Any, other_count: Any) -> Any:
    """One run of two; keys in both have the sum of their counts."""
    i = j = size = 0
    while i < len(keys) and j < len(other_keys):
        a, b = keys[i], other_keys[j]
        i += a <= b
        j += b <= a
        size += 1
    size += len(keys) - i + len(other_keys) - j
    merged, counts = np.empty(size, keys.dtype), np.empty(size, count.dtype)
    i = j = 0
    for place in range(size):
        if j == len(other_keys) or (i < len(keys) and keys[i] < other_keys[j]):
            merged[place], counts[place] = keys[i], count[i]
            i += 1
        elif i == len(keys) or other_keys[j] < keys[i]:
            merged[place], counts[place] = other_keys[j], other_count[j]
            j += 1
        else:
            merged[place], counts[place] = keys[i], count[i] + other_count[j]
            i += 1
            j += 1
    return merged, counts


def _reduce(keys: _Keys) -> _Run:
    keys.sort()
    first = _first_of_each(keys)
    return keys[first], np.diff(first, append=len(keys)).astype(np.uint32)


def _first_of_each(keys: _Keys) -> NDArray[np.int64]:
    return np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
