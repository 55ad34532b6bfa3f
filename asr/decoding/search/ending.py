"""The end of an utterance: words are completed, the end of the sentence is scored."""

from __future__ import annotations

import math

import numpy as np

from asr.decoding.search.records import (
    FRAMES,
    HISTORIES,
    NONE,
    ROOT,
    STATES,
    FinalHypotheses,
    Floats,
    Ints,
    SearchInput,
    SearchMemory,
)
from asr.decoding.search.word_ends import end_word, ends_word
from asr.ngram.lookup import score_word
from asr.runtime.jit import compiled, inner, number, uncounted


@compiled
def finish(given: SearchInput, memory: SearchMemory, sentence_end: int) -> FinalHypotheses:
    """Ends the utterance: completes words, scores the end and takes back what hot words owe.

    Where no state stands at the end of a word, the words begun are left out.

    Args:
        given: lexicon, language model, hot words, settings.
        memory: the search behind its last frame.
        sentence_end: the language model's id of </s>.
    """
    settings, beam, count = given.settings, memory.beam, memory.counts
    target = np.empty(settings.most_words + 2, np.int64)
    gain = np.empty(len(target), np.float64)
    most = count[STATES] * (settings.most_words + 1)
    history, token = np.empty(most, np.int32), np.empty(most, np.int32)
    end = np.empty(most, np.int32)
    mass, peak = np.zeros(most, np.float64), np.zeros(most, np.float64)
    place = np.full(count[HISTORIES] + most, NONE, np.int64)  # of each history among the found
    found = 0
    words_end = _any_word_ends(given, memory)
    for i in range(count[STATES]):
        node = number(beam[i].node)
        if node == ROOT or not words_end:
            target[0], gain[0] = beam[i].history, 1.0
            targets = 1
        else:
            targets = end_word(given, memory, number(beam[i].history), node, target, gain, 0)
        for k in range(targets):
            at = place[target[k]]
            if at == NONE:
                at = place[target[k]] = found
                found += 1
                history[at] = target[k]
                token[at], end[at] = NONE, 0
            mass[at] += (beam[i].blank + beam[i].unit) * gain[k]
            if beam[i].best_unit > beam[i].best_blank:
                best, last, behind = beam[i].best_unit, beam[i].token_unit, count[FRAMES]
            else:
                best, last, behind = beam[i].best_blank, beam[i].token_blank, number(beam[i].end)
            if best * gain[k] > peak[at]:
                peak[at] = best * gain[k]
                token[at], end[at] = last, behind
    score, lm, weights = _score_ends(given, memory, history[:found], mass, sentence_end)
    return FinalHypotheses(history[:found], score, lm, weights, token[:found], end[:found])


@uncounted
def _any_word_ends(given: SearchInput, memory: SearchMemory) -> bool:
    """Whether a state of the beam stands where a word may end."""
    ended = False
    for i in range(memory.counts[STATES]):
        node = number(memory.beam[i].node)
        ends = node == ROOT or given.settings.spelling
        ended |= ends or ends_word(given.lexicon.node, node)
    return ended


@inner
def _score_ends(
    given: SearchInput, memory: SearchMemory, history: Ints, mass: Floats, sentence_end: int
) -> tuple[Floats, Floats, Floats]:
    """Score, log10 probability of the words, and weights besides the acoustics, of each history."""
    hot, settings, histories = given.hot, given.settings, memory.histories
    score, lm = np.empty(len(history), np.float64), np.empty(len(history), np.float64)
    weights = np.empty(len(history), np.float64)
    for r in range(len(history)):
        h = history[r]
        log10, _ = score_word(given.lm, settings.top, number(histories[h].state), sentence_end)
        lm[r] = histories[h].lm + log10
        last = settings.lm_weight * log10 - hot.credit[histories[h].hot]
        score[r] = math.log(max(mass[r], 1e-300)) + memory.level[0] + last
        weights[r] = settings.lm_weight * lm[r] + histories[h].extra
        weights[r] -= hot.credit[histories[h].hot]
    return score, lm, weights
