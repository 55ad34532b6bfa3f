"""Words of the final hypotheses: units, times, and the share of hypotheses that agree."""

from __future__ import annotations

import numpy as np

from asr.decoding.search.records import (
    NONE,
    FinalHypotheses,
    Floats,
    Ints,
    SearchMemory,
    WordSpans,
)
from asr.runtime.jit import compiled


@compiled
def word_spans(finals: FinalHypotheses, memory: SearchMemory, separator: int) -> WordSpans:
    """The times of all words, on the best alignment of each hypothesis."""
    histories, tokens = memory.histories, memory.tokens
    first = np.zeros(len(finals.history) + 1, np.int64)
    for r in range(len(finals.history)):
        first[r + 1] = first[r] + histories[finals.history[r]].depth
    words = first[-1]
    word, start, end = (
        np.empty(words, np.int32),
        np.zeros(words, np.int32),
        np.zeros(words, np.int32),
    )
    log_prob = np.zeros(words, np.float64)
    units = np.zeros(words, np.int64)
    for r in range(len(finals.history)):
        h = finals.history[r]
        for k in range(first[r + 1] - 1, first[r] - 1, -1):
            word[k] = histories[h].word
            h = histories[h].parent
        token, behind = finals.token[r], finals.end[r]
        while token != NONE:
            k = first[r] + histories[tokens[token].history].depth
            if tokens[token].unit != separator and k < first[r + 1]:
                if units[k] == 0:
                    end[k] = behind
                start[k] = tokens[token].frame
                log_prob[k] += tokens[token].log_prob
                units[k] += 1
            behind = tokens[token].before
            token = tokens[token].parent
    return WordSpans(first, word, start, end, log_prob / np.maximum(units, 1))


@compiled
def shares(spans: WordSpans, posterior: Floats, wanted: int) -> Floats:
    """For each word of the first ``wanted`` hypotheses, the posterior of those that agree.

    A hypothesis agrees with a word if it has the same word at an overlapping time.
    """
    agreed = np.zeros(spans.first[wanted], np.float64)
    for r in range(wanted):
        for q in range(len(posterior)):
            other, last = spans.first[q], spans.first[q + 1]
            for k in range(spans.first[r], spans.first[r + 1]):
                while other < last and spans.end[other] <= spans.start[k]:
                    other += 1
                near = other
                while near < last and spans.start[near] < spans.end[k]:
                    if spans.word[near] == spans.word[k]:
                        agreed[k] += posterior[q]
                        break
                    near += 1
    return agreed


@compiled
def path(memory: SearchMemory, token: int) -> tuple[Ints, Ints]:
    """The units that end with ``token``, and their frames."""
    tokens = memory.tokens
    count = 0
    at = token
    while at != NONE:
        count += 1
        at = tokens[at].parent
    units, frames = np.empty(count, np.int32), np.empty(count, np.int32)
    while token != NONE:
        count -= 1
        units[count], frames[count] = tokens[token].unit, tokens[token].frame
        token = tokens[token].parent
    return units, frames
