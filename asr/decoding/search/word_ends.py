"""Ends of words: the histories to which the words at a node lead, scored by the language model,
the hot words and the bonus."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from asr.decoding.search.hash_tables import find_history
from asr.decoding.search.records import (
    HISTORIES,
    NONE,
    Floats,
    HotwordArrays,
    Records,
    SearchInput,
    SearchMemory,
)
from asr.ngram.lookup import find_sorted, score_word
from asr.runtime.jit import number, uncounted


@uncounted
def ends_word(tree: Records, node: int) -> bool:
    """Whether a word of the lexicon ends at a node of its tree."""
    ends: bool = tree[node].first_word < tree[node + 1].first_word
    return ends


@uncounted
def end_word(
    given: SearchInput,
    memory: SearchMemory,
    history: int,
    node: int,
    target: NDArray[np.int64],
    gain: Floats,
    targets: int,
) -> int:
    """Appends the histories to which the words at ``node`` lead, and the factors for them.

    Args:
        given: lexicon, language model, hot words, settings.
        memory: histories.
        history: the words before.
        node: the node where the words end.
        target: histories, behind the first ``targets`` of which new ones are written,
        gain: and the factors by which they change the probability.
        targets: how many there are.

    Returns:
        How many there are now.
    """
    lexicon, settings, tree = given.lexicon, given.settings, given.lexicon.node
    histories, slots = memory.histories, memory.history_slots
    inside = len(lexicon.inverse_look_ahead)
    first = last = number(0)
    if node < inside:
        first, last = number(tree[node].first_word), number(tree[node + 1].first_word)
    unknown = first == last and settings.spelling
    for k in range(first, last + unknown):
        if unknown:
            word = len(lexicon.lm_word) + node
            weight = lexicon.inverse_look_ahead[node] if node < inside else 1 / settings.look_ahead
        else:
            word = number(lexicon.word[k])
            weight = lexicon.weight[k]
        slot = find_history(histories, slots, history, word)
        if slots[slot] == NONE:
            slots[slot] = _add_history(given, memory, history, word)
        after = number(slots[slot])
        target[targets] = after
        gain[targets] = histories[after].gain * weight
        targets += 1
    return targets


@uncounted
def _add_history(given: SearchInput, memory: SearchMemory, history: int, word: int) -> int:
    """The number of a new history: ``word`` behind ``history``, with its scores."""
    lexicon, hot, settings = given.lexicon, given.hot, given.settings
    histories = memory.histories
    new: int = number(memory.counts[HISTORIES])
    memory.counts[HISTORIES] += 1

    inside = word < len(lexicon.lm_word)
    id_ = number(lexicon.lm_word[word]) if inside else number(0)
    log10, state = score_word(given.lm, settings.top, number(histories[history].state), id_)
    extra = settings.word_bonus
    favour = 0
    if inside:
        favour = _next_hot_state(hot, number(histories[history].hot), word)
        extra += hot.earned[favour] + hot.credit[favour] - hot.credit[histories[history].hot]
    else:
        extra += settings.unknown_penalty - hot.credit[histories[history].hot]
    histories[new].parent = history
    histories[new].word = word
    histories[new].depth = histories[history].depth + 1
    histories[new].state = state
    histories[new].hot = favour
    histories[new].gain = math.exp(settings.lm_weight * log10 + extra)
    histories[new].lm = histories[history].lm + log10
    histories[new].extra = histories[history].extra + extra
    return new


@uncounted
def _next_hot_state(hot: HotwordArrays, state: int, word: int) -> int:
    """The state of the hot words' automaton after ``word``."""
    while state != 0:
        end = number(hot.first_child[state + 1])
        child = find_sorted(hot.word, number(hot.first_child[state]), end, word)
        if child < end:
            return child
        state = number(hot.fallback[state])
    first: int = number(hot.root_child[word])
    return first
