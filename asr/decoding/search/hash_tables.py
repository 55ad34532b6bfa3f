"""Open hash tables of what a search has found: states, word histories, words spelled anew."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from asr.decoding.search.records import NONE, SPELLED, Ints, Records
from asr.runtime.jit import compiled, number, uncounted


@uncounted
def hash_pair(a: int, b: int) -> int:
    """A hash of two integers, of 64 bits."""
    mixed = (a * 0x2545F491 + b) * 0x9E3779B97F4A7C1
    return mixed ^ (mixed >> 32)


@uncounted
def find_state(
    slots: NDArray[np.int64], states: Records, history: int, node: int, stamp: int
) -> tuple[int, int]:
    """The index of a state among those of this frame, or NONE, and its slot."""
    mask = len(slots) - 1
    slot = hash_pair(history, node) & mask
    while slots[slot] >> 32 == stamp:
        at = slots[slot] & 0xFFFFFFFF
        if states[at].history == history and states[at].node == node:
            return at, slot
        slot = (slot + 1) & mask
    return NONE, slot


@uncounted
def find_future(
    slots: NDArray[np.int64], states: Records, histories: Records, i: int, stamp: int
) -> tuple[int, int]:
    """The state noted in ``slots`` for the future of state ``i``, or NONE, and its slot.

    Two states have the same future if language model and hot words are in the same state and the
    node is the same.
    """
    mine = histories[states[i].history]
    node, last = states[i].node, states[i].last
    mask = len(slots) - 1
    slot = hash_pair(hash_pair(number(mine.state), number(mine.hot)), number(node)) & mask
    while slots[slot] >> 32 == stamp:
        at = slots[slot] & 0xFFFFFFFF
        other = histories[states[at].history]
        if (
            states[at].node == node
            and states[at].last == last
            and other.state == mine.state
            and other.hot == mine.hot
        ):
            return at, slot
        slot = (slot + 1) & mask
    return NONE, slot


@uncounted
def find_history(histories: Records, slots: Ints, history: int, word: int) -> int:
    """The slot of ``history`` followed by ``word``; free if that history does not exist yet."""
    mask = len(slots) - 1
    slot: int = hash_pair(history, word) & mask
    while slots[slot] != NONE:
        found = number(slots[slot])
        if histories[found].parent == history and histories[found].word == word:
            break
        slot = (slot + 1) & mask
    return slot


@uncounted
def spelled_child(
    spelled: Records, slots: Ints, count: NDArray[np.int64], node: int, u: int
) -> int:
    """The number of the spelled node below ``node`` by unit ``u``, added if it is new."""
    mask = len(slots) - 1
    slot = hash_pair(node, u) & mask
    while slots[slot] != NONE:
        found: int = number(slots[slot])
        if spelled[found].parent == node and spelled[found].unit == u:
            return found
        slot = (slot + 1) & mask
    new: int = number(count[SPELLED])
    count[SPELLED] += 1
    slots[slot] = new
    spelled[new].parent = node
    spelled[new].unit = u
    return new


@compiled
def rehash(slots: Ints, parent: Ints, key: Ints, first: int, last: int) -> None:
    """Fills the table of (parent, key) with the entries from ``first`` to ``last``."""
    slots[:] = NONE
    mask = len(slots) - 1
    for entry in range(first, last):
        slot = hash_pair(number(parent[entry]), number(key[entry])) & mask
        while slots[slot] != NONE:
            slot = (slot + 1) & mask
        slots[slot] = entry
