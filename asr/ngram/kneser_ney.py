"""Interpolated modified Kneser-Ney smoothing (Chen and Goodman 1998, TR-10-98, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr.ngram.counts import Counts
from asr.ngram.model import BOS, NEVER, NgramModel
from asr.runtime.jit import compiled

# For a text too small to estimate an order's discounts from: lmplz's.
_FALLBACK = np.array([0.0, 0.5, 1.0, 1.5])


@dataclass(frozen=True)
class Estimate:
    """What the n-grams of one order are estimated at, pruned ones included."""

    prob: NDArray[np.float64]  # of the last word after the others, by way of back-off if pruned
    backoff: NDArray[np.float64]  # as contexts: the factor of what the lower order says


def estimate(levels: Sequence[Counts], kept: Sequence[NDArray[np.bool_]]) -> list[Estimate]:
    """Smoothed probabilities of n-grams, of which some are to be left out of the model.

    A lower order counts an n-gram's different predecessors (KenLM: adjusted counts), or its
    occurrences if it begins with <s>. A pruned n-gram leaves its count to its context's back-off.
    To the lower order it is not one predecessor but as many as its count, because its occurrences
    are what the lower order then has to predict (Siivola, Hirsimäki and Virpioja 2007, "On growing
    and pruning Kneser-Ney smoothed n-gram models"); pruned singletons leave that as it is.

    Args:
        levels: the n-grams of each order.
        kept: for each order which of them stay.
    """
    counts = [levels[-1].count.astype(np.float64)]
    for below, above, kept_above in zip(levels[-2::-1], levels[:0:-1], kept[:0:-1], strict=True):
        predecessors = np.zeros(len(below))
        _add_predecessors(above.suffix, counts[0], kept_above, predecessors)
        if above.rare:
            predecessors += above.rare.by_suffix
        counts.insert(0, np.where(below.at_start, below.count, predecessors))
    counts[0][BOS] = 0  # it is never predicted

    probs = []
    backoffs = []
    lower = np.full(1, 1 / (len(levels[0]) - 1))  # all words but <s>, alike
    for level, kept_here in zip(levels, kept, strict=True):
        count = counts.pop(0)
        total, backoff = np.zeros(len(lower)), np.zeros(len(lower))
        n = np.zeros(6, np.int64)
        if level.rare:
            total += level.rare.by_parent
            backoff += level.rare.by_parent
            n += level.rare.n
        discounts = _discounts(n + _count_counts(count))
        _sum_up(level.parent, count, kept_here, discounts, total, backoff)
        _interpolate(level.parent, level.suffix, count, kept_here, discounts, total, backoff, lower)
        probs.append(count)
        backoffs.append(backoff)
        lower = count
    backoffs.append(np.broadcast_to(1.0, len(lower)))
    probs[0][BOS] = 0
    return [Estimate(*both) for both in zip(probs, backoffs[1:], strict=True)]


@compiled
def _add_predecessors(suffix: Any, count: Any, kept: Any, predecessors: Any) -> None:
    for index in range(len(suffix)):
        predecessors[suffix[index]] += 1.0 if kept[index] else count[index]


@compiled
def _count_counts(count: Any) -> Any:
    """How many of them are 0, 1, 2, 3, 4 and at least 5."""
    n = np.zeros(6, np.int64)
    for value in count:
        n[int(min(value, 5.0))] += 1
    return n


@compiled
def _sum_up(parent: Any, count: Any, kept: Any, discounts: Any, total: Any, backoff: Any) -> None:
    """The counts after each context, and of what part of them backing off disposes."""
    for index in range(len(parent)):
        total[parent[index]] += count[index]
        spared = discounts[int(min(count[index], 3.0))] if kept[index] else count[index]
        backoff[parent[index]] += spared
    for context in range(len(total)):
        if total[context] == 0:  # it has no children
            total[context] = backoff[context] = 1.0
        backoff[context] /= total[context]


@compiled
def _interpolate(
    parent: Any,
    suffix: Any,
    count: Any,
    kept: Any,
    discounts: Any,
    total: Any,
    backoff: Any,
    lower: Any,
) -> None:
    """Puts probabilities in the place of counts."""
    for index in range(len(parent)):
        own = count[index] - discounts[int(min(count[index], 3.0))] if kept[index] else 0.0
        context = parent[index]
        count[index] = own / total[context] + backoff[context] * lower[suffix[index]]


def _discounts(n: NDArray[np.int64]) -> NDArray[np.float64]:
    """What counts of 0, 1, 2, and 3 or more are lowered by (Chen and Goodman 1998, equation 26).

    Args:
        n: how many n-grams have a count of 0, 1, 2, 3, 4 and at least 5.
    """
    if (n[1:5] == 0).any():
        return _FALLBACK
    y = n[1] / (n[1] + 2 * n[2])
    k = np.arange(1, 4)
    discount = k - (k + 1) * y * n[2:5] / n[1:4]
    if (discount < 0).any() or (discount > k).any():
        return _FALLBACK
    return np.concatenate([[0.0], discount])


def assemble(
    words: Sequence[str],
    levels: Sequence[Counts],
    kept: Sequence[NDArray[np.bool_]],
    estimates: Sequence[Estimate],
) -> NgramModel:
    """The model of the n-grams that are kept; with each its parent and its suffix must be.

    Args:
        words: by id.
        levels: the n-grams of each order.
        kept: which of them are in the model.
        estimates: of all of them, as from :func:`estimate`.
    """
    sizes = [int(selected.sum()) for selected in kept]
    offsets = np.cumsum([1, *sizes])
    word = [np.zeros(1, np.uint32)]
    prob, backoff = [np.ones(1)], [np.ones(1)]
    suffix = [np.zeros(1 + sizes[0], np.uint32)]
    children = [np.array([sizes[0]])]
    for order, (level, selected) in enumerate(zip(levels, kept, strict=True)):
        if order:
            below = kept[order - 1]
            numbers = offsets[order - 1] + np.cumsum(below) - 1
            suffix.append(numbers[level.suffix[selected]].astype(np.uint32))
            children.append(np.bincount(level.parent[selected], minlength=len(below))[below])
        word.append(level.word[selected])
        prob.append(estimates[order].prob[selected])
        backoff.append(estimates[order].backoff[selected])
    return NgramModel(
        order=len(levels),
        words=words,
        word=np.concatenate(word),
        log_prob=_log10(np.concatenate(prob)),
        backoff=_log10(np.concatenate(backoff[:-1])),
        first_child=np.cumsum(np.concatenate([[1], *children])).astype(np.uint32),
        suffix=np.concatenate(suffix),
        top=int(offsets[-2]),
    )


def _log10(values: NDArray[np.float64]) -> NDArray[np.float32]:
    with np.errstate(divide="ignore"):
        return np.maximum(np.log10(values), NEVER).astype(np.float32)
