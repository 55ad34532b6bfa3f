"""Letter to sound: pronunciations of words outside the dictionary, from their letters.

A joint-sequence model (Bisani and Ney 2008, "Joint-sequence models for grapheme-to-phoneme
conversion"): an n-gram model over graphones gives the probability of a spelling together with
a pronunciation, and a beam search finds the pronunciations for which it is highest.
"""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr.lexicon.graphone import Graphone
from asr.lexicon.phones import Phones
from asr.ngram.binary import read_binary, write_binary
from asr.ngram.lookup import NgramArrays, score_word
from asr.ngram.model import EOS, SPECIAL_WORDS, NgramModel
from asr.runtime.jit import compiled
from asr.text import ALPHABET

BUNDLED = Path(__file__).parent / "letter_to_sound.lm"


class LetterToSound:
    """Pronounces words by an n-gram model over graphones.

    Args:
        model: its words, but for the special ones, are graphones (:class:`Graphone`).
        beam_size: hypotheses kept after each letter.
        threshold: hypotheses less likely than the best by more than this are pruned (natural
            logarithm).
    """

    def __init__(self, model: NgramModel, beam_size: int = 24, threshold: float = 8.0) -> None:
        self.model = model
        self._beam_size = beam_size
        self._threshold = threshold / math.log(10)
        graphones = [Graphone.parse(name) for name in model.words[len(SPECIAL_WORDS) :]]
        self._phones = [()] * len(SPECIAL_WORDS) + [graphone.phones for graphone in graphones]
        ids: dict[str, list[int]] = {letter: [] for letter in ALPHABET}
        for number, graphone in enumerate(graphones, len(SPECIAL_WORDS)):
            ids[graphone.letter].append(number)
        self._graphones = np.array([i for letter in ALPHABET for i in ids[letter]])
        self._starts = np.cumsum([0, *(len(ids[letter]) for letter in ALPHABET)])
        self._arrays = NgramArrays(
            model.word, model.log_prob, model.backoff, model.first_child, model.suffix
        )

    def pronounce(self, word: str) -> list[tuple[Phones, float]]:
        """The likeliest pronunciations of a word in normal form, best first.

        Returns:
            Pronunciations, none of them empty, and their probabilities, summed over the graphone
            sequences of the same phones; they add up to 1 over all that the search kept. Nothing
            for a word without a sound.
        """
        letters = np.array([ALPHABET.index(letter) for letter in word], np.int64)
        paths, scores = _search(
            letters,
            self._graphones,
            self._starts,
            self.model.start,
            self.model.top,
            self._arrays,
            self._beam_size,
            self._threshold,
        )
        probabilities: defaultdict[Phones, float] = defaultdict(float)
        relative = 10.0 ** (scores - scores.max())
        for path, probability in zip(paths.tolist(), relative.tolist(), strict=True):
            phones = chain.from_iterable(map(self._phones.__getitem__, path))
            probabilities[tuple(phones)] += probability
        probabilities.pop((), None)
        total = sum(probabilities.values())
        ranked = sorted(probabilities.items(), key=lambda item: -item[1])
        return [(phones, probability / total) for phones, probability in ranked]

    def save(self, path: str | Path) -> None:
        """Writes the model in the compact form of :mod:`asr.ngram`, two bytes an n-gram."""
        write_binary(self.model, Path(path))

    @classmethod
    def load(cls, path: str | Path = BUNDLED) -> LetterToSound:
        """Reads a model, by default the bundled one of English.

        Raises:
            AsrError: the file is missing or damaged.
        """
        return cls(read_binary(Path(path)))


@compiled
def _search(
    letters: NDArray[np.int64],
    graphones: NDArray[np.int64],
    starts: NDArray[np.int64],
    start: int,
    top: int,
    arrays: NgramArrays,
    beam_size: int,
    threshold: float,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The likeliest graphone sequences of a word, by beam search.

    Args:
        letters: shape (letters,), indices into the alphabet.
        graphones: word ids of all graphones, by letter.
        starts: where those of each letter begin in ``graphones``.
        start: the model's first state.
        top: as in :class:`NgramModel`.
        arrays: the model.
        beam_size: sequences kept.
        threshold: how much less likely than the best a sequence may be (log10).

    Returns:
        Word ids of graphones, shape (sequences, letters), and log10 of their probabilities.
    """
    length = len(letters)
    states = np.full(1, start, np.int64)
    scores = np.zeros(1, np.float64)
    parents = np.zeros((length, beam_size), np.int64)
    taken = np.zeros((length, beam_size), np.int64)
    for i in range(length):
        fitting = graphones[starts[letters[i]] : starts[letters[i] + 1]]
        count = len(states) * len(fitting)
        next_states = np.zeros(count, np.int64)
        next_scores = np.zeros(count, np.float64)
        for sequence in range(len(states)):
            for place in range(len(fitting)):
                score, state = score_word(arrays, top, states[sequence], fitting[place])
                next_states[sequence * len(fitting) + place] = state
                next_scores[sequence * len(fitting) + place] = scores[sequence] + score
        best = np.argsort(-next_scores, kind="mergesort")[:beam_size]
        best = best[next_scores[best] >= next_scores[best[0]] - threshold]
        states, scores = next_states[best], next_scores[best]
        for rank in range(len(best)):
            parents[i, rank] = best[rank] // len(fitting)
            taken[i, rank] = fitting[best[rank] % len(fitting)]
    paths = np.zeros((len(states), length), np.int64)
    for sequence in range(len(states)):
        scores[sequence] += score_word(arrays, top, states[sequence], EOS)[0]
        rank = sequence
        for i in range(length - 1, -1, -1):
            paths[sequence, i] = taken[i, rank]
            rank = parents[i, rank]
    return paths, scores
