"""Interpolated modified Kneser-Ney smoothing (Chen and Goodman 1998, TR-10-98, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr.ngram.counts import Counts
from asr.ngram.model import BOS, NEVER, NgramModel

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
        weights = np.where(kept_above, 1.0, counts[0])
        predecessors = np.bincount(above.suffix, weights, minlength=len(below))
        counts.insert(0, np.where(below.at_start, below.count, predecessors))
    counts[0][BOS] = 0  # it is never predicted

    probs = []
    backoffs = []
    lower = np.full(1, 1 / (len(levels[0]) - 1))  # all words but <s>, alike
    for level, count, kept_here in zip(levels, counts, kept, strict=True):
        discount = _discounts(count)[np.minimum(count, 3).astype(np.int64)]
        total = np.bincount(level.parent, count, minlength=len(lower))
        spared = np.bincount(
            level.parent, np.where(kept_here, discount, count), minlength=len(lower)
        )
        childless = total == 0
        total[childless] = spared[childless] = 1
        backoff = spared / total
        prob = np.where(kept_here, count - discount, 0) / total[level.parent]
        prob += backoff[level.parent] * lower[level.suffix]
        probs.append(prob)
        backoffs.append(backoff)
        lower = prob
    backoffs.append(np.ones(len(lower)))
    probs[0][BOS] = 0
    return [Estimate(*both) for both in zip(probs, backoffs[1:], strict=True)]


def _discounts(count: NDArray[np.float64]) -> NDArray[np.float64]:
    """What counts of 0, 1, 2, and 3 or more are lowered by (Chen and Goodman 1998, equation 26)."""
    n = np.bincount(np.minimum(count, 5).astype(np.int64), minlength=6).astype(np.float64)
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
