"""Frees the memory of a search: histories and tokens that no state of the beam builds on."""

from __future__ import annotations

import numpy as np

from asr.decoding.search.hash_tables import rehash
from asr.decoding.search.records import HISTORIES, NONE, STATES, TOKENS, SearchMemory
from asr.runtime.jit import compiled


@compiled
def compact(memory: SearchMemory) -> None:
    """Drops histories and tokens that no state of the beam builds on, keeping the others' order."""
    beam, histories, tokens, count = memory.beam, memory.histories, memory.tokens, memory.counts
    states = count[STATES]

    renumbered = np.full(count[TOKENS] + 1, NONE, np.int32)  # new numbers; NONE stays NONE
    for i in range(states):
        renumbered[beam[i].token_blank] = renumbered[beam[i].token_unit] = 0
    for i in range(count[TOKENS] - 1, -1, -1):
        if renumbered[i] != NONE:
            renumbered[tokens[i].parent] = 0
    renumbered[NONE] = NONE
    alive = np.zeros(count[HISTORIES], np.bool_)
    alive[0] = True
    kept = 0
    for i in range(count[TOKENS]):
        if renumbered[i] != NONE:
            renumbered[i] = kept
            alive[tokens[i].history] = True
            tokens[kept] = tokens[i]
            tokens[kept].parent = renumbered[tokens[kept].parent]
            kept += 1
    count[TOKENS] = kept
    for i in range(states):
        beam[i].token_blank = renumbered[beam[i].token_blank]
        beam[i].token_unit = renumbered[beam[i].token_unit]
        alive[beam[i].history] = True

    renumbered = np.full(count[HISTORIES], NONE, np.int32)
    for h in range(count[HISTORIES] - 1, 0, -1):
        if alive[h]:
            alive[histories[h].parent] = True
    kept = 0
    for h in range(count[HISTORIES]):
        if alive[h]:
            renumbered[h] = kept
            histories[kept] = histories[h]
            histories[kept].parent = renumbered[histories[kept].parent] if h else NONE
            kept += 1
    count[HISTORIES] = kept
    for i in range(count[TOKENS]):
        tokens[i].history = renumbered[tokens[i].history]
    for i in range(states):
        beam[i].history = renumbered[beam[i].history]
    rehash(memory.history_slots, histories["parent"], histories["word"], 1, kept)
