"""The letter-to-sound model: what it learns, how it is searched, and the one that is bundled."""

import math
from itertools import product

import pytest

from asr.errors import AsrError
from asr.lexicon.dictionary import read_cmudict
from asr.lexicon.graphone import Graphone
from asr.lexicon.graphone_alignment import align
from asr.lexicon.letter_to_sound import LetterToSound
from asr.lexicon.letter_to_sound_training import hold_out, measure, train
from asr.lexicon.phones import PHONES
from asr.text import foreign_characters


@pytest.fixture(scope="module")
def dictionary():
    """An eighth of the dictionary."""
    words = read_cmudict()
    return {word: words[word] for word in sorted(words)[::8]}


@pytest.fixture(scope="module")
def model(dictionary):
    return train(hold_out(dictionary)[0], order=4)


def test_the_dictionary_is_in_our_form():
    words = read_cmudict()
    assert len(words) > 120_000
    assert not any(map(foreign_characters, words))
    assert {phone for variants in words.values() for said in variants for phone in said} == set(
        PHONES
    )
    assert words["READ"] == (("R", "EH", "D"), ("R", "IY", "D"))
    assert len(PHONES) == 39


def test_graphones_make_up_word_and_pronunciation(dictionary):
    pairs = [(word, said) for word, variants in dictionary.items() for said in variants]
    pairs += [("FOX", ("F", "AA", "K", "S")), ("KNIGHT", ("N", "AY", "T"))]
    pairs.append(("ABC", ("D", "IH", "K", "SH", "AH", "N", "EH", "R", "IY")))
    aligned = align(pairs)
    assert len(aligned) == len(pairs)
    for (word, said), graphones in zip(pairs, aligned, strict=True):
        if graphones:
            assert "".join(g.letter for g in graphones) == word
            assert sum((g.phones for g in graphones), ()) == said
    assert sum(graphones is None for graphones in aligned) < 0.01 * len(pairs)
    assert " ".join(map(str, aligned[-3])) == "F:F O:AA X:K.S"
    assert " ".join(map(str, aligned[-2])) == "K: N:N I:AY G: H: T:T"
    assert aligned[-1] is None  # nine phones are too many for three letters
    assert Graphone.parse("X:K.S") == aligned[-3][2]


def test_learns_to_pronounce_words_it_has_not_seen(dictionary, model):
    held = hold_out(dictionary)[1]
    assert not any(word.endswith("'S") for word in held)
    errors = measure(model, held)
    assert errors.words == len(held)
    assert errors.edits < 0.15 * errors.phones
    assert errors.missed < errors.wrong < 0.5 * errors.words


@pytest.mark.parametrize("word", ["FOX", "THOU", "QUA"])
def test_the_search_equals_enumeration(model, word):
    """A wide beam sums up exactly all graphone sequences of each pronunciation."""
    wide = LetterToSound(model.model, beam_size=10**6, threshold=math.inf)
    by_letter = [
        [name for name in model.model.words[3:] if name.startswith(letter)] for letter in word
    ]
    sums = {}
    for names in product(*by_letter):
        said = sum((Graphone.parse(name).phones for name in names), ())
        sums[said] = sums.get(said, 0.0) + 10 ** sum(model.model.score_sentence(names))
    sums.pop((), None)
    total = sum(sums.values())
    found = dict(wide.pronounce(word))
    assert found.keys() == sums.keys()
    for said, probability in found.items():
        assert probability == pytest.approx(sums[said] / total, rel=1e-4)
    (best, probability), *_ = model.pronounce(word)
    assert best == max(sums, key=sums.get)
    assert probability == pytest.approx(sums[best] / total, rel=0.05)  # the beam's share


def test_a_saved_model_pronounces_as_before(tmp_path, model):
    model.save(tmp_path / "model.lm")
    loaded = LetterToSound.load(tmp_path / "model.lm")
    for word in ("FOX", "PARLIAMENT", "O'BRIEN"):
        (before, probability), *_ = model.pronounce(word)
        assert dict(loaded.pronounce(word))[before] == pytest.approx(probability, rel=0.2)


def test_a_damaged_model_is_refused(tmp_path, model):
    path = tmp_path / "model.lm"
    model.save(path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(AsrError, match=r"model\.lm is damaged"):
        LetterToSound.load(path)


def test_the_bundled_model_knows_english():
    bundled = LetterToSound.load()
    for word, said in {
        "BLENKIRON": "B L EH NG K AY R AH N",
        "PHLOGISTON": "F L AA JH IH S T AH N",
        "SPLUNKING": "S P L AH NG K IH NG",
        "KNOX": "N AA K S",
        "GNOSH": "N AA SH",
    }.items():
        likely = [" ".join(phones) for phones, _ in bundled.pronounce(word)[:4]]
        assert said in likely, (word, likely)
    words = read_cmudict()
    some = {word: words[word] for word in sorted(words)[5::250] if not word.endswith(("'S", "S'"))}
    errors = measure(bundled, some)  # it has learned from these
    assert errors.edits < 0.03 * errors.phones


def test_probabilities_fall_and_add_up_to_one(model):
    for word in ("READING", "GUILE", "AI"):
        guesses = model.pronounce(word)
        probabilities = [probability for _, probability in guesses]
        assert sum(probabilities) == pytest.approx(1)
        assert probabilities == sorted(probabilities, reverse=True)
        assert len({phones for phones, _ in guesses}) == len(guesses)
        assert all(phones for phones, _ in guesses)
