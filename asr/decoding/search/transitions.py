"""Transitions: the states that a frame leads to, with and without a new token."""

from __future__ import annotations

import math

from asr.decoding.search.hash_tables import find_state, spelled_child
from asr.decoding.search.records import (
    FRAMES,
    NONE,
    ROOT,
    STAMP,
    STATES,
    Ints,
    Records,
    Scratch,
    SearchInput,
    SearchMemory,
)
from asr.decoding.search.word_ends import end_word, ends_word
from asr.runtime.jit import inlined, number, uncounted

# How much likelier than its look-ahead a word may turn out at its end: where the beam is full, a
# word is not looked up in the language model if even that would give it no place.
RESCUE = 50.0


@uncounted
def stay(memory: SearchMemory, blank: float) -> tuple[float, float]:
    """Where the states lead without a new token, but for a separator after a separator.

    Args:
        memory: the search.
        blank: the probability of the blank.

    Returns:
        The probabilities of the likeliest and of the least likely.
    """
    beam, following, slots = memory.beam, memory.following, memory.slots
    prob, frame, stamp = memory.prob, memory.counts[FRAMES], memory.counts[STAMP]
    best, least = 0.0, math.inf
    for i in range(memory.counts[STATES]):
        now, then = beam[i], following[i]
        history, node, last = number(now.history), number(now.node), now.last
        total, p = now.blank + now.unit, prob[last]
        then.history, then.node, then.last, then.fresh = history, node, last, NONE
        then.blank, then.unit = total * blank, now.unit * p
        then.best_unit, then.token_unit = now.best_unit * p, now.token_unit
        if now.best_unit > now.best_blank:
            then.best_blank, then.token_blank = now.best_unit * blank, now.token_unit
            then.end = frame
        else:
            then.best_blank, then.token_blank = now.best_blank * blank, now.token_blank
            then.end = now.end
        if node == ROOT and p > 0:
            then.unit = total * p
            if now.best_blank > now.best_unit:
                then.best_unit, then.token_unit = now.best_blank * p, now.token_blank
                then.fresh = now.end
        then.total = then.blank + then.unit
        best, least = max(best, then.total), min(least, then.total)
        _, slot = find_state(slots, following, history, node, stamp)
        slots[slot] = (stamp << 32) | i
    return best, least


@uncounted
def emit(
    given: SearchInput,
    memory: SearchMemory,
    scratch: Scratch,
    units: int,
    best: float,
    least: float,
) -> tuple[int, float]:
    """The states that a new token leads to, behind those reached without one.

    Args:
        given: lexicon, language model, hot words, settings.
        memory: the search.
        scratch: room.
        units: how many units are tried.
        best: the probability of the likeliest state so far.
        least: the probability that a state needs for a place in the beam.

    Returns:
        How many states are reached in all, and the likeliest one's probability.
    """
    beam, following, slots = memory.beam, memory.following, memory.slots
    count, prob, settings, tree = memory.counts, memory.prob, given.settings, given.lexicon.node
    inside = len(given.lexicon.inverse_look_ahead)
    spelling, separator = settings.spelling, settings.separator
    narrowest, greatest_step = settings.narrowest, settings.greatest_step
    target, target_node, gain = scratch.target, scratch.target_node, scratch.gain
    states, frame, stamp = count[STATES], count[FRAMES], count[STAMP]
    reached = states
    for i in range(states):
        now = beam[i]
        history, node, last = number(now.history), number(now.node), number(now.last)
        total = now.blank + now.unit
        if now.best_unit > now.best_blank:
            peak_all, token_all, before_all = now.best_unit, now.token_unit, frame
        else:
            peak_all, token_all, before_all = now.best_blank, now.token_blank, number(now.end)
        has_words = node < inside and ends_word(tree, node)
        options = _list_options(given, memory, scratch, units, node, has_words)
        for j in range(options):
            u, child = scratch.option[j], scratch.option_child[j]
            mass = prob[u] * (now.blank if u == last else total)
            if not mass * greatest_step > best * narrowest or (u == separator and node == ROOT):
                continue
            may_end = mass * RESCUE >= least and (spelling or has_words)
            targets = _list_targets(given, memory, scratch, history, node, u, child, may_end)

            peak, token, before = peak_all, token_all, before_all
            if u == last:
                peak, token, before = now.best_blank, now.token_blank, number(now.end)
            peak *= prob[u]
            for k in range(targets):
                share = mass * gain[k]
                if not share > best * narrowest:
                    continue
                at, slot = find_state(slots, following, target[k], target_node[k], stamp)
                if at == NONE:
                    if share < least:
                        continue
                    at = reached
                    reached += 1
                    slots[slot] = (stamp << 32) | at
                    _open_state(following, at, target[k], target_node[k], u)
                then = following[at]
                then.unit += share
                then.total += share
                best = max(best, then.total)
                if peak * gain[k] > then.best_unit:
                    then.best_unit = peak * gain[k]
                    then.token_unit, then.fresh = token, before
    return reached, best


@inlined
def _list_options(
    given: SearchInput,
    memory: SearchMemory,
    scratch: Scratch,
    units: int,
    node: int,
    has_words: bool,
) -> int:
    """Lists the units that can follow at ``node`` and their children of it; returns their number.

    A node has fewer children, as a rule, than there are units tried.
    """
    lexicon, separator, tree = given.lexicon, given.settings.separator, given.lexicon.node
    option, option_child = scratch.option, scratch.option_child
    options = 0
    if given.settings.spelling or node == ROOT or (separator == 0 and has_words):
        for j in range(units):
            u = number(memory.tried[j])
            option[options] = u
            option_child[options] = NONE
            if node < len(lexicon.inverse_look_ahead) and u != separator:
                option_child[options] = _child(tree, lexicon.root_child, node, u)
            options += 1
        return options
    for child in range(number(tree[node].first_child), number(tree[node + 1].first_child)):
        u = number(tree[child].unit)
        if memory.prob[u] > 0:
            option[options], option_child[options] = u, child
            options += 1
    if has_words and memory.prob[separator] > 0:
        option[options], option_child[options] = separator, NONE
        options += 1
    return options


@inlined
def _list_targets(
    given: SearchInput,
    memory: SearchMemory,
    scratch: Scratch,
    history: int,
    node: int,
    u: int,
    child: int,
    may_end: bool,
) -> int:
    """Lists where unit ``u`` leads from a state: on in the word, or to the end of one.

    Args:
        given: lexicon, language model, hot words, settings.
        memory: the search.
        scratch: whose ``target``, ``target_node`` and ``gain`` are filled.
        history: the words before.
        node: the state's node.
        u: the unit.
        child: the node's child by the unit, or NONE.
        may_end: whether a word may end here.

    Returns:
        How many targets there are.
    """
    lexicon, settings, spelled = given.lexicon, given.settings, memory.spelled
    spelled_slots, count = memory.spelled_slots, memory.counts
    inside, begins = len(lexicon.inverse_look_ahead), lexicon.begins
    look_ahead, spelling = settings.look_ahead, settings.spelling
    target, target_node, gain = scratch.target, scratch.target_node, scratch.gain
    targets, into, enter = 0, ROOT, 1.0
    if u != settings.separator:
        step = 1.0
        if node < inside:
            inverse = lexicon.inverse_look_ahead[node]
            step = lexicon.node[child].step if child != NONE else look_ahead * inverse
        if child == NONE and spelling and (node == ROOT or not begins[u]):
            child = inside + spelled_child(spelled, spelled_slots, count, node, u)
        if child != NONE:
            target[0], target_node[0], gain[0] = history, child, step
            targets = 1
        into = NONE
        if begins[u] and node != ROOT:
            if lexicon.root_child[u] > 0:
                into = number(lexicon.root_child[u])
                enter = lexicon.node[into].step
            elif spelling:
                into = inside + spelled_child(spelled, spelled_slots, count, ROOT, u)
                enter = look_ahead
    if into != NONE and may_end:
        within = targets
        targets = end_word(given, memory, history, node, target, gain, targets)
        for k in range(within, targets):
            target_node[k] = into
            gain[k] *= enter
    return targets


@inlined
def _open_state(following: Records, at: int, history: int, node: int, u: int) -> None:
    """Makes ``following[at]`` a state that no alignment leads to yet."""
    then = following[at]
    then.history, then.node, then.last = history, node, u
    then.blank = then.unit = then.total = 0.0
    then.best_blank = then.best_unit = 0.0
    then.token_blank = then.token_unit = then.fresh = NONE
    then.end = 0


@uncounted
def _child(tree: Records, root_child: Ints, node: int, u: int) -> int:
    """The child of a node of the lexicon tree by unit ``u``, or NONE."""
    if node == ROOT:
        return number(root_child[u]) if root_child[u] > 0 else NONE
    low, end = number(tree[node].first_child), number(tree[node + 1].first_child)
    high = end
    while low < high:
        middle = (low + high) >> 1
        if tree[middle].unit < u:
            low = middle + 1
        else:
            high = middle
    return low if low < end and tree[low].unit == u else NONE
