"""Builds a model from n-grams in any order, adding those that the trie needs between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr.ngram.model import NgramModel

_Keys = NDArray[np.uint64]


@dataclass(frozen=True)
class Ngrams:
    """N-grams of one order."""

    words: NDArray[np.uint32]  # [M, order] word ids
    log_prob: NDArray[np.float32]  # [M]
    backoff: NDArray[np.float32]  # [M]


def build(words: Sequence[str], levels: Sequence[Ngrams]) -> NgramModel:
    """Makes a model of n-grams of the orders 1, 2 and so on.

    An n-gram that is a part of another and is not given, as in pruned models, is added with the
    probability of backing off and a back-off of 0, so that no score changes.

    Args:
        words: all words, the special ones first.
        levels: the n-grams of each order; of order 1 all words, in their order.

    Raises:
        ValueError: an n-gram stands twice.
    """
    order = len(levels)
    log_probs = [np.zeros(1, np.float32), levels[0].log_prob]
    backoffs = [np.zeros(1, np.float32), levels[0].backoff]
    last_words = [np.zeros(1, np.uint32), np.arange(len(words), dtype=np.uint32)]
    suffixes = [np.zeros(1, np.int64), np.zeros(len(words), np.int64)]
    counts_of_children = [np.array([len(words)])]
    keys_below: _Keys = last_words[1].astype(np.uint64)
    # Of each given n-gram the number, in its order, of each part as long as the orders built.
    parts = [
        [level.words[:, i].astype(np.int64) for i in range(k)] for k, level in enumerate(levels, 1)
    ]
    for length in range(2, order + 1):
        keys_of_parts = []
        for level, numbers in zip(levels[length - 1 :], parts[length - 1 :], strict=True):
            keys_of_parts.append(
                [
                    (number.astype(np.uint64) << np.uint64(32)) | last
                    for number, last in zip(numbers, level.words.T[length - 1 :], strict=False)
                ]
            )
        keys = np.unique(np.concatenate([key for of_order in keys_of_parts for key in of_order]))
        parts[length - 1 :] = [
            [np.searchsorted(keys, key) for key in of_order] for of_order in keys_of_parts
        ]
        given = parts[length - 1][0]
        if len(given) and np.bincount(given).max() > 1:
            twice = levels[length - 1].words[np.argmax(np.bincount(given)[given])]
            raise ValueError(f"the n-gram '{' '.join(words[i] for i in twice)}' stands twice")
        parent = (keys >> np.uint64(32)).astype(np.int64)
        word = keys.astype(np.uint32)
        suffix = word.astype(np.int64)
        if length > 2:
            suffix = np.searchsorted(
                keys_below, (suffixes[-1][parent].astype(np.uint64) << np.uint64(32)) | word
            )
        log_prob = backoffs[-1][parent] + log_probs[-1][suffix]  # what backing off gives
        backoff = np.zeros(len(keys), np.float32)
        log_prob[given] = levels[length - 1].log_prob
        backoff[given] = levels[length - 1].backoff
        counts_of_children.append(np.bincount(parent, minlength=len(log_probs[-1])))
        log_probs.append(log_prob)
        backoffs.append(backoff)
        last_words.append(word)
        suffixes.append(suffix)
        keys_below = keys
    offsets = np.cumsum([0, *map(len, log_probs)])
    for length in range(2, order + 1):
        suffixes[length] += offsets[length - 1]
    return NgramModel(
        order=order,
        words=words,
        word=np.concatenate(last_words),
        log_prob=np.concatenate(log_probs),
        backoff=np.concatenate(backoffs[:-1]),
        first_child=np.cumsum(np.concatenate([[1], *counts_of_children])).astype(np.uint32),
        suffix=np.concatenate(suffixes).astype(np.uint32),
        top=int(offsets[order]),
    )
