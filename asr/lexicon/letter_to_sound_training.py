"""Trains letter-to-sound models on a pronouncing dictionary, and measures their errors."""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rapidfuzz.distance import Levenshtein

from asr.lexicon.dictionary import read_cmudict
from asr.lexicon.graphone_alignment import align
from asr.lexicon.letter_to_sound import BUNDLED, LetterToSound
from asr.lexicon.phones import Phones
from asr.ngram.counts import count_ngrams
from asr.ngram.kneser_ney import assemble, estimate
from asr.ngram.model import EOS, SPECIAL_WORDS
from asr.ngram.vocabulary import Corpus
from asr.runtime.progress import track

ORDER = 6  # longer contexts do not lower the error rate
_BY_RULE = ("'S", "S'")  # endings that rules pronounce


@dataclass(frozen=True)
class Errors:
    """Errors on words outside the training set."""

    words: int
    wrong: int  # words whose best pronunciation is none of the dictionary's
    missed: int  # words none of whose four best is one of the dictionary's
    phones: int  # in the nearest of the dictionary's pronunciations
    edits: int  # from it to the best one


def train(dictionary: Mapping[str, Sequence[Phones]], order: int = ORDER) -> LetterToSound:
    """Trains a model on the words of ``dictionary``, in normal form.

    Graphones are aligned by EM; their n-grams are smoothed like those of words (interpolated
    modified Kneser-Ney). Pairs that can't be aligned, such as abbreviations, are left out.
    """
    pairs = [
        (word, phones)
        for word, variants in dictionary.items()
        if not word.endswith(_BY_RULE)
        for phones in variants
    ]
    sentences = [graphones for graphones in align(pairs) if graphones]
    words = [*SPECIAL_WORDS, *map(str, sorted({g for sentence in sentences for g in sentence}))]
    number = {word: index for index, word in enumerate(words)}
    ids = np.array([i for s in sentences for i in (*(number[str(g)] for g in s), EOS)], np.uint32)
    corpus = Corpus(words, ids, np.bincount(ids, minlength=len(words)))
    levels = count_ngrams(corpus, order)
    kept = [np.ones(len(level), np.bool_) for level in levels]
    return LetterToSound(assemble(words, levels, kept, estimate(levels, kept)))


def hold_out(
    dictionary: Mapping[str, Sequence[Phones]], part: int = 10, seed: int = 0
) -> tuple[dict[str, Sequence[Phones]], dict[str, Sequence[Phones]]]:
    """Splits a dictionary by word at random, one in ``part`` into the second one.

    Words with the endings 'S and S' stay in the first: rules pronounce them.
    """
    words = sorted(word for word in dictionary if not word.endswith(_BY_RULE))
    held = set(random.Random(seed).sample(words, len(words) // part))
    rest = {word: variants for word, variants in dictionary.items() if word not in held}
    return rest, {word: dictionary[word] for word in sorted(held)}


def measure(model: LetterToSound, dictionary: Mapping[str, Sequence[Phones]]) -> Errors:
    """The errors of ``model`` on ``dictionary``, which should not be its training set.

    Of several pronunciations of a word the nearest counts.
    """
    wrong = missed = phones = edits = 0
    for word, variants in track(dictionary.items(), "pronouncing", len(dictionary)):
        guesses = [guess for guess, _ in model.pronounce(word)[:4]] or [()]
        distances = [
            (Levenshtein.distance(guesses[0], variant), len(variant)) for variant in variants
        ]
        distance, length = min(distances)
        wrong += distance > 0
        missed += not any(guess in variants for guess in guesses)
        phones += length
        edits += distance
    return Errors(len(dictionary), wrong, missed, phones, edits)


def main(arguments: Sequence[str] | None = None) -> None:
    """Makes the bundled model, or measures such a model on held-out words."""
    parser = argparse.ArgumentParser(prog="train_letter_to_sound", description=main.__doc__)
    parser.add_argument("--held-out", action="store_true", help="test on a tenth, write nothing")
    parser.add_argument("--order", type=int, default=ORDER, help="of the n-grams")
    parser.add_argument("-o", "--output", type=Path, default=BUNDLED, help="for the model")
    options = parser.parse_args(arguments)
    dictionary = read_cmudict()
    if not options.held_out:
        train(dictionary, options.order).save(options.output)
        print(f"{options.output}: {options.output.stat().st_size / 1e6:.2f} MB")
        return
    rest, held = hold_out(dictionary)
    model = train(rest, options.order)
    with tempfile.TemporaryDirectory() as folder:  # rounded, as the bundled model is
        model.save(Path(folder, BUNDLED.name))
        errors = measure(LetterToSound.load(Path(folder, BUNDLED.name)), held)
    print(
        f"{errors.words} words held out: {100 * errors.wrong / errors.words:.2f} % wrong, "
        f"{100 * errors.edits / errors.phones:.2f} % phone errors; "
        f"{100 * errors.missed / errors.words:.2f} % not among the four best"
    )


if __name__ == "__main__":
    main()
