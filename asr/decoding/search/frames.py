"""Frames: reads log-probabilities one frame at a time, from one beam to the next."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from asr.decoding.search.pruning import keep_best, recombine
from asr.decoding.search.records import (
    FRAMES,
    HISTORIES,
    NEEDED,
    SETTLED,
    SPELLED,
    STAMP,
    STATES,
    TOKENS,
    Ints,
    Records,
    Scratch,
    SearchInput,
    SearchMemory,
)
from asr.decoding.search.transitions import emit, stay
from asr.runtime.jit import compiled, double, uncounted


@compiled
def advance(
    rows: NDArray[np.floating], first: int, given: SearchInput, memory: SearchMemory
) -> int:
    """Reads frames from ``first`` on; stops short of a frame for which the arrays are too small.

    Args:
        rows: log-probabilities, shape (frames, units).
        first: the first frame to read.
        given: lexicon, language model, hot words, settings.
        memory: the search, which is changed.

    Returns:
        The frames read in all; if more are left, ``counts[NEEDED]`` is the number of states that
        the next one may lead to.
    """
    units, states, words = len(memory.prob), len(memory.following), given.settings.most_words + 1
    scratch = Scratch(
        option=np.empty(units, np.int64),
        option_child=np.empty(units, np.int64),
        target=np.empty(words, np.int64),
        target_node=np.empty(words, np.int64),
        gain=np.empty(words, np.float64),
        best_of=np.zeros(len(memory.slots), np.int64),
        slot_of=np.empty(states, np.int64),
        ranked=np.empty(states, np.float64),
    )
    for t in range(first, len(rows)):
        if not _read_frame(rows[t], given, memory, scratch):
            return t
    return len(rows)


@uncounted
def _read_frame(
    row: NDArray[np.floating], given: SearchInput, memory: SearchMemory, scratch: Scratch
) -> bool:
    """Reads a frame, if there is room for all states that it may lead to."""
    count, prob, tried, settings = memory.counts, memory.prob, memory.tried, given.settings
    units, ends = _list_units(row, settings.token_threshold, settings.separator, tried)
    states = count[STATES]
    if units == 0:  # nothing can happen but blanks, which don't change the order of states
        if count[SETTLED] == 0:
            _settle(memory.beam, states, count[FRAMES])
            count[SETTLED] = 1
        memory.level[0] += row[0]
        count[FRAMES] += 1
        return True

    ended = states * ends * settings.most_words
    needed = states * (1 + units) + ended
    if (
        needed > len(memory.following)
        or count[HISTORIES] + ended > len(memory.histories)
        or count[TOKENS] + settings.beam_size > len(memory.tokens)
        or (settings.spelling and count[SPELLED] + 2 * states * units > len(memory.spelled))
    ):
        count[NEEDED] = needed
        return False

    count[SETTLED] = 0
    count[STAMP] += 1
    for j in range(units):
        prob[tried[j]] = math.exp(double(row[tried[j]]))
    best, least = stay(memory, math.exp(double(row[0])))
    if states < settings.beam_size:
        least = 0.0  # else what is less likely than all of these has no place in the beam
    reached, best = emit(given, memory, scratch, units, best, least)
    if best > 0:
        bar = best * settings.narrowest
        if settings.dominated > 0:
            # What is dropped makes room for those behind it.
            most = 2 * settings.beam_size
            recombine(memory, scratch, reached, bar, most, settings.dominated)
        keep_best(memory, scratch, reached, best, settings.beam_size, bar, row)
    # else no state can read the frame, which is passed over
    for j in range(units):
        prob[tried[j]] = 0.0
    count[FRAMES] += 1
    return True


@uncounted
def _list_units(
    row: NDArray[np.floating], threshold: float, separator: int, tried: Ints
) -> tuple[int, int]:
    """Lists the units to be tried; returns their number, and how many of them may end a word."""
    top = row[0]
    for u in range(1, len(row)):
        top = max(top, row[u])
    least = min(threshold, top)
    units = ends = 0
    for u in range(1, len(row)):
        if row[u] >= least:
            tried[units] = u
            units += 1
            ends += separator == 0 or separator == u
    return units, ends


@uncounted
def _settle(beam: Records, states: int, frame: int) -> None:
    """All alignments go on with a blank, whose probability is left to the caller."""
    for i in range(states):
        beam[i].blank += beam[i].unit
        beam[i].unit = 0.0
        if beam[i].best_unit > beam[i].best_blank:
            beam[i].best_blank = beam[i].best_unit
            beam[i].token_blank = beam[i].token_unit
            beam[i].end = frame
        beam[i].best_unit = 0.0
