"""The probability of a word in an n-gram model, for compiled code."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.runtime.jit import number, uncounted


class NgramArrays(NamedTuple):
    """The arrays of :class:`asr.ngram.model.NgramModel`."""

    word: NDArray[np.uint32]
    log_prob: NDArray[np.float32]
    backoff: NDArray[np.float32]
    first_child: NDArray[np.uint32]
    suffix: NDArray[np.uint32]


@uncounted
def score_word(model: NgramArrays, top: int, state: int, word: int) -> tuple[float, int]:
    """log10 P(word | state), and the state after the word.

    The same as :meth:`asr.ngram.model.NgramModel.score`.

    Args:
        model: the arrays.
        top: the model's first n-gram of the highest order.
        state: the number of an n-gram.
        word: the word's id.
    """
    total = 0.0
    while state != 0:
        end = number(model.first_child[state + 1])
        child = find_sorted(model.word, number(model.first_child[state]), end, word)
        if child < end:
            break
        total += model.backoff[state]
        state = number(model.suffix[state])
    else:
        child = 1 + word
    total += model.log_prob[child]
    return total, child if child < top else number(model.suffix[child])


@uncounted
def find_sorted(values: NDArray[Any], first: int, end: int, wanted: int) -> int:
    """The place of ``wanted`` among the sorted ``values[first:end]``, or ``end``."""
    low, high = first, end
    while low < high:
        middle = (low + high) >> 1
        if values[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low if low < end and values[low] == wanted else end
