import pytest

from asr.lexicon.dictionary import read_cmudict
from asr.lexicon.letter_to_sound import LetterToSound
from asr.lexicon.pronouncer import Pronouncer, Source, english


def said(word, variants=1):
    return [" ".join(units) for units, _ in english().pronounce(word, variants).pronunciations]


def test_the_dictionary_comes_first_with_all_variants():
    pronounced = english().pronounce("READ")
    assert pronounced.source is Source.DICTIONARY
    assert [weight for _, weight in pronounced.pronunciations] == [1.0, 1.0]
    assert said("READ") == ["R EH D", "R IY D"]
    assert said("read") == said("READ")


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("SQUIRE'S", "S K W AY R Z"),
        ("COUNT'S", "K AW N T S"),
        ("LORDSHIP'S", "L AO R D SH IH P S"),
        ("MISTRESS'S", "M IH S T R AH S IH Z"),
        ("WRETCH'S", "R EH CH IH Z"),
        ("COMPANIONS'", "K AH M P AE N Y AH N Z"),
        ("TURN'D", "T ER N D"),
        ("LOOK'D", "L UH K T"),
        ("SEATED'D", "S IY T IH D IH D"),
        ("YE'LL", "Y IY L"),
        ("THINGS'LL", "TH IH NG Z AH L"),
        ("HE'VE", "HH IY V"),
        ("THESE'RE", "DH IY Z ER"),
        ("MAYN'T", "M EY N T"),
        ("DAREN'T", "D EH R AH N T"),
        ("WHISPERIN'", "W IH S P ER IH N"),
        ("HERESIES", "HH EH R AH S IY Z"),
        ("TRESPASSES", "T R EH S P AE S IH Z"),
        ("ARCHDUKES'", "AA R CH D UW K S"),
    ],
)
def test_endings_are_pronounced_by_rule(word, phones):
    assert word not in read_cmudict()
    assert english().pronounce(word).source is Source.RULE
    assert phones in said(word)


def test_the_rule_of_the_possessive_agrees_with_the_dictionary():
    words = read_cmudict()
    possessives = [w for w in words if w.endswith("'S") and w[:-2] in words]
    without = {word: said for word, said in words.items() if not word.endswith("'S")}
    pronouncer = Pronouncer(without, LetterToSound.load())
    agreeing = 0
    for word in possessives:
        pronounced = pronouncer.pronounce(word)
        assert pronounced.source is Source.RULE
        by_rule = {units for units, _ in pronounced.pronunciations}
        agreeing += not by_rule.isdisjoint(words[word])
    assert len(possessives) > 5000
    assert agreeing > 0.95 * len(possessives)


def test_letters_come_last_with_weights_relative_to_the_best():
    for word in ("RASKOLNIKOV", "PENCROFT", "GUDRUN"):
        pronounced = english().pronounce(word, variants=4)
        assert pronounced.source is Source.LETTERS
        weights = [weight for _, weight in pronounced.pronunciations]
        assert weights[0] == 1.0
        assert weights == sorted(weights, reverse=True)
        assert weights[-1] >= 0.1
        assert len(weights) <= 4
        assert english().pronounce(word).pronunciations == pronounced.pronunciations[:1]


def test_an_ending_stays_regular_when_its_base_is_guessed():
    for word, ending in {
        "PENCROFT'S": ["S"],
        "GUDRUN'S": ["Z"],
        "PETROVITCH'S": ["IH", "Z"],
    }.items():
        base = english().pronounce(word.removesuffix("'S"), variants=3)
        whole = english().pronounce(word, variants=3)
        assert whole.source is base.source is Source.LETTERS
        assert [(units + tuple(ending), weight) for units, weight in base.pronunciations] == list(
            whole.pronunciations
        )


@pytest.mark.parametrize("word", ["", "42", "R2D2", "'", "ЖУК"])
def test_what_has_no_letters_has_no_pronunciation(word):
    pronounced = english().pronounce(word)
    assert pronounced.source is Source.NOTHING
    assert pronounced.pronunciations == ()
