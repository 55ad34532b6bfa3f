import json

import pytest

from asr.errors import AsrError
from asr.tokenizers.tokenizer import (
    BLANK,
    BpeTokenizer,
    CharacterTokenizer,
    UnrepresentableText,
    load_tokenizer,
)

TEXT = "HE WAS NOT AN ILL DISPOSED YOUNG MAN IT'S SAID"


@pytest.fixture(scope="module")
def bpe(librivox):
    return BpeTokenizer.train([u.text for u in librivox] * 4 + [TEXT], 60)


@pytest.fixture(params=["characters", "bpe"])
def tokenizer(request, bpe):
    return CharacterTokenizer() if request.param == "characters" else bpe


def test_text_comes_back(tokenizer, librivox):
    for text in [TEXT, *(u.text for u in librivox)]:
        indices = tokenizer.encode(text)
        assert BLANK not in indices
        assert max(indices) < len(tokenizer)
        assert tokenizer.decode(indices) == text


def test_has_the_size_asked_for(bpe):
    assert len(bpe) == 61
    assert len(CharacterTokenizer()) == 29


def test_saved_and_loaded_it_is_the_same(tmp_path, tokenizer):
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = load_tokenizer(tmp_path / "tokenizer.json")
    assert loaded.units == tokenizer.units
    assert loaded.encode(TEXT) == tokenizer.encode(TEXT)


def test_names_the_characters_it_lacks(tokenizer):
    with pytest.raises(UnrepresentableText, match="'7' 'Ж'") as caught:
        tokenizer.encode("ROOM 7 Ж")
    assert caught.value.characters == "7Ж"


def test_too_little_text_for_bpe_is_a_clear_error():
    with pytest.raises(AsrError, match="lower units"):
        BpeTokenizer.train(["A B"], 500)


def test_too_few_units_for_the_characters_is_another(librivox):
    with pytest.raises(AsrError, match=r"more characters than 20 BPE units; raise units\.size"):
        BpeTokenizer.train([u.text for u in librivox], 20)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is damaged"),
        ("[]", "is damaged"),
        (json.dumps({"kind": "bpe", "sentencepiece": "AAAA"}), "is damaged"),
        (json.dumps({"kind": "syllables"}), "unknown kind: syllables"),
    ],
)
def test_damaged_files_are_refused(tmp_path, content, message):
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(AsrError, match=message):
        load_tokenizer(path)
    with pytest.raises(AsrError, match="does not exist"):
        load_tokenizer(tmp_path / "other.json")
