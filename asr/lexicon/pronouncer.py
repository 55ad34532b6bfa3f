"""The pronouncer: words to phones by the dictionary, else by rule, else from their letters."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from asr.lexicon.dictionary import read_cmudict
from asr.lexicon.endings import split_ending
from asr.lexicon.letter_to_sound import LetterToSound
from asr.lexicon.lexicon import Pronunciation
from asr.lexicon.phones import Phones
from asr.text import foreign_characters

_LEAST_WEIGHT = 0.1  # of a guess from letters, the best one having 1


class Source(StrEnum):
    """The source of a pronunciation."""

    DICTIONARY = "dictionary"
    RULE = "rule"
    LETTERS = "letters"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Pronounced:
    """The pronunciations of a word, the usual one first."""

    pronunciations: tuple[Pronunciation, ...]
    source: Source


class Pronouncer:
    """Pronounces English words with the phones of :data:`asr.lexicon.phones.PHONES`.

    Args:
        dictionary: words in normal form, each with its pronunciations.
        model: for words that neither the dictionary nor a rule has.
    """

    def __init__(self, dictionary: Mapping[str, Sequence[Phones]], model: LetterToSound) -> None:
        self._dictionary = dictionary
        self._model = model

    def pronounce(self, word: str, variants: int = 1) -> Pronounced:
        """Pronunciations of ``word``, in upper or lower case.

        The dictionary gives all of its pronunciations, each with weight 1; letters give up to
        ``variants``, with weights relative to the likeliest. A word with characters outside the
        normal form, or without a sound, has none.
        """
        word = word.upper()
        if not word.strip("'") or foreign_characters(word):
            return Pronounced((), Source.NOTHING)
        if word in self._dictionary:
            return Pronounced(_equally_weighted(self._dictionary[word]), Source.DICTIONARY)
        if by_rule := self._by_rule(word):
            return Pronounced(_equally_weighted(by_rule), Source.RULE)
        guesses = self._guess(word)[:variants]
        least = _LEAST_WEIGHT * guesses[0].weight if guesses else 0.0
        return Pronounced(
            tuple(
                Pronunciation(phones, weight / guesses[0].weight)
                for phones, weight in guesses
                if weight >= least
            ),
            Source.LETTERS if guesses else Source.NOTHING,
        )

    def _by_rule(self, word: str) -> Sequence[Phones]:
        for base, add in split_ending(word):
            if known := self._dictionary.get(base) or self._by_rule(base):
                return list(dict.fromkeys(map(add, known)))
        return ()

    def _guess(self, word: str) -> list[Pronunciation]:
        for base, add in split_ending(word, plurals=False):
            return [Pronunciation(add(phones), weight) for phones, weight in self._guess(base)]
        return [Pronunciation(*guess) for guess in self._model.pronounce(word)]


def _equally_weighted(variants: Sequence[Phones]) -> tuple[Pronunciation, ...]:
    return tuple(map(Pronunciation, variants))


@functools.cache
def english() -> Pronouncer:
    """The pronouncer with cmudict and the model trained on it."""
    return Pronouncer(read_cmudict(), LetterToSound.load())
