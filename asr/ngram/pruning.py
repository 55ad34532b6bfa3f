"""Pruning: the n-grams that a smaller model keeps, by count or by relative entropy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr.ngram.counts import Counts
from asr.ngram.kneser_ney import Estimate
from asr.runtime.jit import compiled

# What an n-gram seen only once counts for: Kneser-Ney's probabilities overrate these. With 0.3 the
# perplexity of models of the size that count pruning (0 1 1) gives fell by 1.1 and 1.2 % on two
# texts, that of models a third as large stayed as it was.
_SINGLETON = 0.3
_TINY = 1e-12  # where a context has every word as a child


def keep_frequent(levels: Sequence[Counts], thresholds: Sequence[int]) -> list[NDArray[np.bool_]]:
    """Keeps n-grams seen more often than the threshold of their order; unigrams are all kept.

    The thresholds must not fall from order to order, so that every n-gram's parent and suffix
    stay with it; the last holds for all further orders.
    """
    kept = [np.ones(len(levels[0]), np.bool_)]
    for order, level in enumerate(levels[1:], 1):
        kept.append(level.count > thresholds[min(order, len(thresholds) - 1)])
    return kept


def keep_valuable(losses: Sequence[NDArray[np.float64]], size: int) -> list[NDArray[np.bool_]]:
    """Keeps the n-grams with the greatest losses.

    Args:
        losses: of each order, as from :func:`relative_entropies`.
        size: the number of n-grams besides the unigrams, which are all kept.
    """
    flat = np.concatenate([np.zeros(0), *losses[1:]])
    kept = flat > -np.inf
    if size < np.count_nonzero(kept):
        place = len(flat) - size
        threshold = np.partition(flat, place)[place] if size else np.inf
        kept = flat > threshold
        # Of equals the lower orders come first: parents and suffixes before what needs them.
        kept[np.flatnonzero(flat == threshold)[: size - np.count_nonzero(kept)]] = True
    ends = np.cumsum([len(loss) for loss in losses[1:]])
    return [losses[0] > -np.inf, *np.split(kept, ends)[: len(losses) - 1]]


def relative_entropies(
    levels: Sequence[Counts], kept: Sequence[NDArray[np.bool_]], estimates: Sequence[Estimate]
) -> list[NDArray[np.float64]]:
    """The loss of a model without each of its n-grams, in nats a word.

    That is the relative entropy of Stolcke 1998, "Entropy-based pruning of backoff language
    models", section 3, but with the probabilities of contexts counted in the text: those of
    a Kneser-Ney model are made for backing off and mislead (Chelba et al. 2010, "Study on
    interaction between entropy pruning and Kneser-Ney smoothing"). An n-gram counts as no less
    than those that need it as parent or suffix, so whatever the threshold, these are kept together.

    Args:
        levels: the n-grams of each order.
        kept: which of them are in the model.
        estimates: of all of them.

    Returns:
        For each order the losses: infinity for unigrams, minus infinity for what is not kept.
    """
    tokens = levels[0].count.sum()
    losses = [np.full(len(levels[0]), np.inf)]
    for order in range(1, len(levels)):
        level, contexts, selected = levels[order], levels[order - 1], kept[order]
        loss = np.full(len(level), -np.inf)
        mass, lower_mass = np.ones(len(contexts)), np.ones(len(contexts))
        _losses(
            level.parent,
            level.suffix,
            level.count,
            selected,
            estimates[order].prob,
            estimates[order - 1].prob,
            estimates[order - 1].backoff,
            contexts.count,
            tokens,
            mass,
            lower_mass,
            loss,
        )
        losses.append(loss)
    for order in range(len(levels) - 1, 1, -1):
        _raise(losses[order - 1], levels[order].parent, losses[order])
        _raise(losses[order - 1], levels[order].suffix, losses[order])
    return losses


@compiled
def _losses(
    parent: Any,
    suffix: Any,
    count: Any,
    selected: Any,
    prob: Any,
    prob_below: Any,
    backoff_below: Any,
    context_count: Any,
    tokens: Any,
    mass: Any,
    lower_mass: Any,
    loss: Any,
) -> None:
    """The losses of one order; of each context, ``mass`` and ``lower_mass`` are 1."""
    for index in range(len(parent)):  # what backing off is left with
        if selected[index]:
            mass[parent[index]] -= prob[index]
            lower_mass[parent[index]] -= prob_below[suffix[index]]
    for index in range(len(parent)):
        if not selected[index]:
            continue
        context = parent[index]
        own, lower = prob[index], prob_below[suffix[index]]
        # What it would be left with, if the n-gram were left out too.
        more, lower_more = mass[context] + own, lower_mass[context] + lower
        backoff = np.log(max(more, _TINY) / max(lower_more, _TINY))
        change = backoff - np.log(backoff_below[context])
        value = -(own * (np.log(lower) + backoff - np.log(own)) + mass[context] * change)
        if count[index] == 1:
            value *= _SINGLETON
        loss[index] = value * context_count[context] / tokens


@compiled
def _raise(values: Any, places: Any, least: Any) -> None:
    for index in range(len(places)):
        values[places[index]] = max(values[places[index]], least[index])
