"""`asr run`: prepare, train, evaluate; stages that are done are skipped."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import asr
from asr.acoustic.folder import open_model
from asr.cli.main import main
from asr.config.loading import load_recipe
from asr.corpora.manifest import read_manifest, write_manifest
from asr.errors import AsrError
from asr.pipeline import RESULTS, run

RECIPE = """
name: tiny
output: runs/tiny
data: {manifests: manifests, cache: cache, train: [one], dev: [two], test: [one, two]}
model:
  front_end: {channels: [8, 8]}
  encoder: {layers: 1, hidden: 16}
train: {epochs: 1, batch_seconds: 20, precision: float32}
"""


@pytest.fixture
def corpus(tmp_path, librivox, monkeypatch):
    """Two subsets in LibriSpeech's layout, in an otherwise empty working folder."""
    monkeypatch.chdir(tmp_path)
    for subset, clips in (("one", librivox[:3]), ("two", librivox[3:])):
        chapter = tmp_path / "corpus" / subset / "7" / "1"
        chapter.mkdir(parents=True)
        lines = [f"7-1-{number:04} {clip.text}\n" for number, clip in enumerate(clips)]
        (chapter / "7-1.trans.txt").write_text("".join(lines))
        for number, clip in enumerate(clips):
            shutil.copy(clip.audio_filepath, chapter / f"7-1-{number:04}.wav")
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    return tmp_path / "corpus"


def test_one_command_from_a_corpus_to_error_rates(corpus, capsys):
    recipe = load_recipe("tiny.yaml")
    records, failures = run(recipe, [corpus])
    assert not failures
    assert {(r["name"], r["decoder"]) for r in records} == {
        (name, decoder) for name in ("one", "two") for decoder in ("greedy", "beam")
    }
    assert all(r["utterances"] == {"one": 3, "two": 2}[r["name"]] for r in records)
    out = capsys.readouterr()
    assert "prepare one, two" in out.err

    # A second time nothing is done again.
    results = recipe.folder / RESULTS
    weights = recipe.folder / "model" / "model.safetensors"
    before = results.stat().st_mtime_ns, weights.stat().st_mtime_ns
    assert run(recipe, [corpus]) == (records, [])
    assert (results.stat().st_mtime_ns, weights.stat().st_mtime_ns) == before
    assert "prepare" not in capsys.readouterr().err

    # Broken off after the first score, it goes on with the second one.
    report = json.loads(results.read_text())
    kept = {**report["sets"][0], "wall_seconds": -1.0}
    results.write_text(json.dumps({**report, "sets": [kept]}))
    assert run(recipe, [corpus])[0][0] == kept
    assert len(json.loads(results.read_text())["sets"]) == len(records)

    # Results of other references are made anew,
    manifest = Path("manifests/one.jsonl")
    manifest.write_text(manifest.read_text().replace('"text": "', '"text": "AND '))
    changed, _ = run(recipe, [corpus])
    assert changed[0]["words"] == records[0]["words"] + 3
    assert json.loads(results.read_text())["made_from"] != report["made_from"]
    report = json.loads(results.read_text())

    # and so are those of other weights.
    results.write_text(json.dumps({**report, "made_from": {"weights": "of another run"}}))
    run(recipe, [corpus])
    assert json.loads(results.read_text())["made_from"] == report["made_from"]

    # So are results that are damaged.
    results.write_text("{")
    run(recipe, [corpus])
    assert json.loads(results.read_text())["made_from"] == report["made_from"]


def test_with_text_comes_a_language_model_and_a_tuned_search(corpus, librivox, capsys):
    recipe = load_recipe("tiny.yaml")
    Path("books.txt").write_text("\n".join(clip.text for clip in librivox) + "\n")
    records, _ = run(recipe, [corpus], texts=[Path("books.txt")])
    assert [r["decoder"] for r in records] == ["greedy", "beam", "beam + LM"] * 2
    out = capsys.readouterr().err
    assert "language model" in out
    assert "tune on two" in out
    card = (recipe.folder / "model" / "README.md").read_text()
    row = next(line for line in card.splitlines() if "beam + LM, tuned on two" in line)
    wer = next(100 * r["wer"] for r in records if r["decoder"] == "beam + LM")
    assert row.startswith(f"| one | beam + LM, tuned on two | {wer:.2f} |")
    assert asr.load(recipe.folder / "model").transcribe(librivox[0].audio_filepath).text is not None
    decoder = recipe.folder / "model" / "decoder.yaml"
    own = decoder.read_text()
    decoder.unlink()  # as if broken off there
    assert run(recipe, [corpus], texts=[Path("books.txt")]) == (records, [])
    assert "tune on" not in capsys.readouterr().err
    assert (recipe.folder / "model" / "README.md").read_text() == card
    assert decoder.read_text() == own


def test_with_text_comes_a_speller(corpus, librivox, capsys):
    settings = ["units.intermediate=phones", "model.intermediate_layer=1", "data.test=[two]"]
    settings += ["speller={shape: {inputs: 8, hidden: 8, code: 8}, units: 40, steps: 3}"]
    texts = [Path("books.txt")]
    texts[0].write_text("\n".join(clip.text for clip in librivox) + "\n")
    recipe = load_recipe("tiny.yaml", settings)
    records, failures = run(recipe, [corpus], texts)
    assert (len(records), failures) == (3, [])
    assert "speller" in capsys.readouterr().err
    folder = recipe.folder / "speller" / "model"
    assert open_model(folder).tokenizer.kind == "bpe"
    assert asr.load(folder).transcribe(librivox[0].audio_filepath).text is not None
    assert (folder / "words.lm").exists()
    assert not (recipe.folder / "model" / "words.lm").exists()

    def weights():
        return (folder / "model.safetensors").stat().st_mtime_ns

    before = weights()
    assert run(recipe, [corpus], texts) == (records, [])
    assert weights() == before
    longer = load_recipe("tiny.yaml", [*settings, "speller.steps=4"])
    assert run(longer, [corpus], texts)[1] == []
    assert weights() > before


def test_changed_inputs_are_processed_again(corpus, librivox, capsys):
    texts = [Path("a/books.txt"), Path("b/books.txt")]
    for text in texts:  # of one name
        text.parent.mkdir()
        text.write_text("\n".join(clip.text for clip in librivox) + "\n")
    settings = ["data.test=[one]", "data.dev=[x/dev.jsonl]", "data.tune={one: y/dev.jsonl}"]
    settings += ["units.intermediate=phones", "model.intermediate_layer=1"]
    for folder, clips in (("x", librivox[3:]), ("y", librivox[:1])):  # sets too
        write_manifest(f"{folder}/dev.jsonl", clips)

    def stages(*more):
        records, failures = run(load_recipe("tiny.yaml", [*settings, *more]), [corpus], texts)
        assert (len(records), failures) == (3, [])
        rules = (line.strip("─ \n") for line in capsys.readouterr().err.splitlines())
        return [rule for rule in rules if rule.startswith(("language model", "tune"))]

    everything = ["language model", "tune on y/dev.jsonl", "tune on x/dev.jsonl"]
    lexicon = Path("runs/tiny/model/words.lexicon")
    assert stages("lm.head=intermediate") == everything
    assert lexicon.exists()
    assert stages() == everything
    assert not lexicon.exists()  # of phones, which are not searched now
    assert stages() == []
    texts[0].write_text(texts[0].read_text().replace("THE", "TEN"))
    assert stages() == everything
    write_manifest("y/dev.jsonl", librivox[1:2])
    assert stages() == ["tune on y/dev.jsonl"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--text", "typo.txt"], "typo.txt does not exist"),
        (["--text", "-"], "the text - is read several times"),
        (["lm.readings=1"], "wrong value for lm.readings: 1"),
        (["lm.recurrent={}", "--text", "books.txt"], "lm.readings=0 means none"),
        (["lm.head=intermediate", "--text", "books.txt"], "the model has no such head"),
        (["speller={}", "--text", "books.txt"], "a speller needs a second head"),
        (["data.test=[typo.jsonl]"], "typo.jsonl does not exist"),
        (["output=runs/{nam}"], "wrong value for output: 'runs/{nam}'"),
    ],
)
def test_failures_are_found_before_training(corpus, arguments, message, capsys):
    Path("books.txt").write_text("WHALES\n")
    assert main(["run", "tiny.yaml", *arguments, "--data", str(corpus)]) == 1
    assert message in capsys.readouterr().err
    assert not Path("runs").exists()


def test_skipped_utterances_count_as_failures(corpus, librivox, capsys):
    lost = replace(librivox[0], audio_filepath="lost.wav", utterance_id="lost")
    write_manifest("some.jsonl", [librivox[1], lost])
    Path("books.txt").write_text(librivox[1].text)
    settings = ["data.test=[some.jsonl]", "data.tune={some.jsonl: some.jsonl}"]
    command = ["run", "tiny.yaml", *settings, "--text", "books.txt", "--data", str(corpus)]
    for _ in range(2):  # the second time nothing is done, and still said
        assert main(command) == 1
        complaints = [line for line in capsys.readouterr().err.splitlines() if "asr: " in line]
        assert [line.partition(": lost")[0] for line in complaints] == [
            "asr: not tuned on",
            "asr: not scored",
        ]


def test_a_set_may_be_a_table_in_another_folder(corpus, librivox, tmp_path, capsys):
    voices = tmp_path / "voices" / "clips"
    voices.mkdir(parents=True)
    lines = ["path\tsentence\n"]
    for number, clip in enumerate(librivox[:2]):
        shutil.copy(clip.audio_filepath, voices / f"{number}.wav")
        lines.append(f"{number}.wav\t{clip.text}\n")
    (voices.parent / "dev.tsv").write_text("".join(lines))
    recipe = load_recipe("tiny.yaml", ["data.tables={cv: dev.tsv}", "data.test=[two, cv]"])
    records, _ = run(recipe, [corpus, voices.parent])
    assert {(r["name"], r["utterances"]) for r in records} == {("two", 2), ("cv", 2)}
    run(recipe, [corpus, voices.parent])
    assert "prepare" not in capsys.readouterr().err.split("evaluate")[-1]


def test_a_set_may_be_a_corpus_known_by_name(corpus, librivox, tmp_path):
    folder = tmp_path / "more" / "cmu_arctic" / "cmu_us_slt_arctic"
    (folder / "wav").mkdir(parents=True)
    (folder / "etc").mkdir()
    shutil.copy(librivox[4].audio_filepath, folder / "wav" / "arctic_a0001.wav")
    (folder / "etc" / "txt.done.data").write_text(f'( arctic_a0001 "{librivox[4].text}" )\n')
    recipe = load_recipe(
        "tiny.yaml", ["data.test=[arctic]", "data.corpora={arctic: {corpus: arctic}}"]
    )
    records, failures = run(recipe, [corpus, tmp_path / "more"])
    assert not failures
    assert {record["name"] for record in records} == {"arctic"}
    (utterance,) = read_manifest("manifests/arctic.jsonl")
    assert utterance.speaker == "slt"


def test_a_corpus_that_is_not_known_is_refused_before_training(corpus):
    recipe = load_recipe("tiny.yaml", ["data.corpora={x: {corpus: timit}}"])
    with pytest.raises(AsrError, match=r"corpora\.x names the corpus timit, .*known are arctic"):
        run(recipe, [corpus])
