import math

import pytest

from asr.errors import AsrError
from asr.lexicon import Entry, Lexicon, Pronunciation, read_entries
from asr.tokenizers.tokenizer import BpeTokenizer, CharacterTokenizer, PhoneTokenizer


def read(tmp_path, text):
    path = tmp_path / "lexicon.txt"
    path.write_text(text, encoding="utf-8")
    return Lexicon.read(path)


def test_a_word_has_several_pronunciations_with_weights(tmp_path):
    lexicon = read(tmp_path, ";;; how we say it\nREAD R IY D\nA AH\n\nREAD\t0.25  R EH D\nA EY\n")
    assert list(lexicon) == ["READ", "A"]
    assert lexicon["READ"] == (
        Pronunciation(("R", "IY", "D"), 1.0),
        Pronunciation(("R", "EH", "D"), 0.25),
    )
    assert [units for units, _ in lexicon["A"]] == [("AH",), ("EY",)]


def test_what_is_written_reads_the_same(tmp_path):
    path = tmp_path / "new" / "lexicon.txt"
    lexicon = Lexicon(
        {
            "ÉTÉ": [Pronunciation(("EY", "T", "EY"))],
            "TOMATO": [
                Pronunciation(("T", "AH", "M", "EY", "T", "OW")),
                Pronunciation(("T", "AH", "M", "AA", "T", "OW"), 0.125),
            ],
        }
    )
    lexicon.write(path, "two\nlines")
    assert path.read_text(encoding="utf-8").splitlines() == [
        ";;; two",
        ";;; lines",
        "ÉTÉ EY T EY",
        "TOMATO T AH M EY T OW",
        "TOMATO 0.125 T AH M AA T OW",
    ]
    assert dict(Lexicon.read(path)) == dict(lexicon)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A AH\nREAD\n", r"line 2 of the lexicon .*lexicon\.txt has no units for 'READ'"),
        ("A AH\n\nREAD 0.5\n", r"line 3 of the lexicon .* has no units for 'READ'"),
        ("A 0 AH\n", r"line 1 of the lexicon .* the weight 0; a weight must be above 0"),
        ("A -1.5 AH\n", r"line 1 .* the weight -1\.5"),
        ("A 1e999 AH\n", r"line 1 .* the weight inf"),
        (";;; nothing\n\n", r"lexicon\.txt holds no words"),
    ],
)
def test_mistakes_name_file_and_line(tmp_path, text, message):
    with pytest.raises(AsrError, match=message):
        read(tmp_path, text)


def test_a_lexicon_that_is_not_there_or_no_text(tmp_path):
    with pytest.raises(AsrError, match=r"none\.txt does not exist"):
        Lexicon.read(tmp_path / "none.txt")
    (tmp_path / "binary.txt").write_bytes(b"\x93\xff\x00\xfe")
    with pytest.raises(AsrError, match=r"binary\.txt is not UTF-8 text"):
        Lexicon.read(tmp_path / "binary.txt")


def test_decoders_get_indices_and_logarithms(tmp_path):
    lexicon = read(tmp_path, "READ R IY D\nREAD 0.5 R EH D\nLOCH L AA X\nRED R EH D\n")
    tokenizer = PhoneTokenizer()
    entries, missing = lexicon.entries(tokenizer)
    r, iy, eh, d = (tokenizer.units.index(phone) for phone in ("R", "IY", "EH", "D"))
    assert entries == [
        Entry("READ", (r, iy, d), 0.0),
        Entry("READ", (r, eh, d), math.log(0.5)),
        Entry("RED", (r, eh, d), 0.0),
    ]
    assert missing == ["LOCH"]
    assert list(read_entries(tmp_path / "lexicon.txt", tokenizer)) == entries


def test_a_lexicon_of_other_units_is_named(tmp_path):
    read(tmp_path, "LOCH L AA X\n")
    with pytest.raises(AsrError, match=r"lexicon\.txt does not fit the model: .* 'LOCH'"):
        list(read_entries(tmp_path / "lexicon.txt", PhoneTokenizer()))


@pytest.mark.parametrize("kind", ["characters", "bpe"])
def test_spelling_makes_a_lexicon_too(tmp_path, librivox, kind):
    texts = [utterance.text for utterance in librivox]
    tokenizer = CharacterTokenizer() if kind == "characters" else BpeTokenizer.train(texts * 4, 60)
    words = sorted(set(" ".join(texts).split()))
    lexicon, missing = Lexicon.spelled([*words, "R2D2"], tokenizer)
    assert missing == ["R2D2"]
    assert list(lexicon) == words
    lexicon.write(tmp_path / "spelled.txt")
    entries, missing = Lexicon.read(tmp_path / "spelled.txt").entries(tokenizer)
    assert missing == []
    assert [(word, list(units)) for word, units, _ in entries] == [
        (word, tokenizer.encode(word)) for word in words
    ]
