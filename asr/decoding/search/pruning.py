"""Pruning: which of the states that a frame leads to are the beam of the next one."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from asr.decoding.search.hash_tables import find_future
from asr.decoding.search.records import (
    FRAMES,
    NONE,
    STAMP,
    STATES,
    TOKENS,
    Floats,
    Records,
    Scratch,
    SearchMemory,
)
from asr.runtime.jit import uncounted


@uncounted
def recombine(
    memory: SearchMemory, scratch: Scratch, reached: int, bar: float, most: int, dominated: float
) -> None:
    """Takes their probability from states that a likelier one with the same future outdoes.

    What lies ahead of two states is the same if the language model and the hot words are in the
    same state and the node is the same: they keep their distance, but for the share that ends in a
    blank, and the one that is behind stays there.

    Args:
        memory: the states.
        scratch: room.
        reached: how many states there are.
        bar: less likely states are not looked at, nor more than ``most``, the likeliest.
        most: how many states are looked at.
        dominated: how likely a state must be by the likeliest of its future.
    """
    states, histories, stamp = memory.following, memory.histories, memory.counts[STAMP]
    best_of, slot_of = scratch.best_of, scratch.slot_of
    above = _list_above(states, reached, bar, scratch.ranked)
    if above > most:
        bar, _ = _select(scratch.ranked, above, most)
    for i in range(reached):
        if states[i].total > bar:
            found, slot = find_future(best_of, states, histories, i, stamp)
            slot_of[i] = slot
            if found == NONE or states[i].total > states[found].total:
                best_of[slot] = (stamp << 32) | i
    for i in range(reached):
        if states[i].total > bar:
            likelier = best_of[slot_of[i]] & 0xFFFFFFFF
            if states[i].total < states[likelier].total * dominated:
                states[i].total = 0.0


@uncounted
def keep_best(
    memory: SearchMemory,
    scratch: Scratch,
    reached: int,
    best: float,
    beam_size: int,
    bar: float,
    row: NDArray[np.floating],
) -> None:
    """Copies into the beam the best of the states reached, in their order, and notes their tokens.

    Args:
        memory: the states.
        scratch: room.
        reached: how many states there are.
        best: the probability of the likeliest.
        beam_size: how many are kept at most.
        bar: less likely ones are not kept.
        row: log-probabilities of the frame.
    """
    beam, following, tokens, count = memory.beam, memory.following, memory.tokens, memory.counts
    ties = _list_above(following, reached, bar, scratch.ranked)
    if ties > beam_size:
        bar, ties = _select(scratch.ranked, ties, beam_size)

    scale = 1.0
    if not 1e-60 < best < 1e60:
        scale = 1 / best
        memory.level[0] += math.log(best)
    kept = 0
    for i in range(reached):
        total = following[i].total
        if total < bar or (total == bar and ties == 0) or total == 0:
            continue
        if total == bar:
            ties -= 1
        token = following[i].token_unit
        if following[i].fresh != NONE:
            new = count[TOKENS]
            count[TOKENS] += 1
            tokens[new].parent = token
            tokens[new].unit = following[i].last
            tokens[new].frame = count[FRAMES]
            tokens[new].before = following[i].fresh
            tokens[new].history = following[i].history
            tokens[new].log_prob = row[following[i].last]
            token = new
        beam[kept] = following[i]
        beam[kept].blank *= scale
        beam[kept].unit *= scale
        beam[kept].best_blank *= scale
        beam[kept].best_unit *= scale
        beam[kept].token_unit = token
        kept += 1
    count[STATES] = kept


@uncounted
def _list_above(states: Records, reached: int, bar: float, ranked: Floats) -> int:
    """Lists the probabilities above ``bar``; returns their number."""
    above = 0
    for i in range(reached):
        if states[i].total > bar:
            ranked[above] = states[i].total
            above += 1
    return above


@uncounted
def _select(values: Floats, count: int, wanted: int) -> tuple[float, int]:
    """The ``wanted``-th greatest of ``values``, and how many of those equal to it are among them.

    Hoare's selection; the values lose their order.
    """
    low, high = 0, count - 1
    while low < high:
        pivot = values[(low + high) >> 1]
        i, j = low, high
        while i <= j:
            while values[i] > pivot:
                i += 1
            while values[j] < pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if wanted - 1 <= j:
            high = j
        elif wanted - 1 >= i:
            low = i
        else:
            break
    bar = values[wanted - 1]
    ties = 0
    for i in range(wanted):
        if values[i] == bar:
            ties += 1
    return bar, ties
