"""The command line as users meet it, in processes of its own."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

import asr
from asr.audio.read import SAMPLE_RATE
from asr.cli import main as cli
from asr.corpora.manifest import write_manifest
from asr.errors import AsrError
from asr.evaluation.evaluate import read_data
from asr.runtime.files import write_text


def run(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "asr", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )


@pytest.fixture(scope="module")
def odd_files(tmp_path_factory, librivox):
    """Files as people have them, good and bad; the names of the bad ones begin with bad."""
    folder = tmp_path_factory.mktemp("odd")
    speech, _ = soundfile.read(librivox[4].audio_filepath, dtype="float32")
    import librosa

    for rate in (8_000, 44_100, 48_000):
        resampled = librosa.resample(speech, orig_sr=SAMPLE_RATE, target_sr=rate)
        soundfile.write(folder / f"stereo-{rate}.flac", np.stack([resampled] * 2, axis=1), rate)
    soundfile.write(folder / "pcm24.wav", speech, SAMPLE_RATE, subtype="PCM_24")
    soundfile.write(folder / "float.wav", speech, SAMPLE_RATE, subtype="FLOAT")
    soundfile.write(folder / "vorbis.ogg", speech, SAMPLE_RATE)
    soundfile.write(folder / "opus.opus", speech, SAMPLE_RATE, format="OGG", subtype="OPUS")
    soundfile.write(folder / "mpeg.mp3", speech, SAMPLE_RATE)
    soundfile.write(folder / "short.wav", speech[:800], SAMPLE_RATE)
    soundfile.write(folder / "silence.wav", np.zeros(SAMPLE_RATE * 3), SAMPLE_RATE)
    (folder / "bad-empty.wav").touch()
    (folder / "bad-text.wav").write_text("this is no audio\n" * 100)
    soundfile.write(folder / "bad-hollow.flac", np.zeros(0), SAMPLE_RATE)
    return folder


def test_help_comes_at_once_and_every_command_has_an_example():
    parser = cli._parser()
    pending = [parser]
    seen = 0
    while pending:
        current = pending.pop()
        groups = [a for a in current._actions if hasattr(a, "choices") and a.dest == "==SUPPRESS=="]
        pending += [child for group in groups for child in group.choices.values()]
        assert "Example: asr " in (current.epilog or ""), current.prog
        seen += 1
    assert seen > 6
    modules = "import sys, asr.cli.main; asr.cli.main._parser(); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", modules], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"torch", "numpy", "librosa", "numba", "rich"} & set(loaded)


def test_every_command_has_its_implementation():
    pending = [cli._parser()]
    seen = 0
    while pending:
        current = pending.pop()
        groups = [a for a in current._actions if hasattr(a, "choices") and a.dest == "==SUPPRESS=="]
        pending += [child for group in groups for child in group.choices.values()]
        if not groups:
            module, _, function = current.get_default("run").partition(":")
            assert callable(getattr(importlib.import_module(module), function)), current.prog
            seen += 1
    assert seen > 15


def test_good_files_are_transcribed_and_bad_ones_reported(odd_files, tmp_path):
    result = run(
        "transcribe", odd_files, odd_files / "missing.wav", "-o", tmp_path, "--format=json"
    )
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    bad = {path.name for path in odd_files.glob("bad*")} | {"missing.wav"}
    lines = result.stderr.strip().splitlines()
    for name in bad:
        (line,) = [line for line in lines if name in line]
        assert line.startswith("asr: ")
    assert lines[-1] == f"asr: {len(bad)} inputs could not be transcribed"
    assert len([line for line in lines if line.startswith("asr: ")]) == len(bad) + 1
    (note,) = [line for line in lines if line.startswith("note: ")]
    assert "short.wav has sound, but no words" in note
    good = {path.stem for path in odd_files.iterdir()} - {name.split(".")[0] for name in bad}
    assert {path.stem for path in tmp_path.iterdir()} == good
    texts = {path.stem: json.loads(path.read_text())["text"] for path in tmp_path.iterdir()}
    assert len(texts["short"]) + len(texts["silence"]) < 6  # next to nothing is in them
    assert {"HE", "MADE"} <= set(texts["pcm24"].split())
    assert texts["pcm24"] == texts["float"]


def test_several_inputs_print_path_and_text_and_one_its_text(librivox):
    first, second = (u.audio_filepath for u in librivox[:2])
    both = run("transcribe", first, second)
    assert both.returncode == 0, both.stderr
    rows = [line.split("\t") for line in both.stdout.splitlines()]
    assert [row[0] for row in rows] == [first, second]
    alone = run("transcribe", first, "--decoder", "beam", "--beam-size", 4)
    assert len(alone.stdout.splitlines()) == 1
    assert alone.stdout.strip() not in ("", first)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["transcribe", "missing.wav"], "missing.wav does not exist"),
        (["transcribe", "."], "is a folder without audio files"),
        (["transcribe", "x.wav", "--model", "nowhere"], "there is no model nowhere"),
        (["transcribe", "x.wav", "--device", "tpu"], "there is no device 'tpu'"),
        (["evaluate", "missing.jsonl"], "missing.jsonl does not exist"),
        (["evaluate", "."], "holds no utterances in LibriSpeech's layout"),
        (["train", "missing.yaml", "--resume", "train.epochs=2"], "missing.yaml does not exist"),
        (["prepare", "folder", "missing", "-o", "out"], "missing is not a folder"),
        (["prepare", "librispeech", "missing", "-o", "out"], "missing is not a folder"),
    ],
)
def test_mistakes_are_one_clear_sentence(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    status = cli.main(arguments)
    captured = capsys.readouterr()
    assert status == 1
    assert message in captured.err
    assert len(captured.err.strip().splitlines()) == 1
    assert captured.out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["transcribe", "x.wav", "--beam-size", "0"],
        ["transcribe", "x.wav", "--format", "doc"],
        ["train", "recipe.yaml", "--resume", "epochs"],
        ["recognise", "x.wav"],
        [],
    ],
)
def test_a_wrong_command_line_shows_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: asr")


def test_a_full_disk_behind_the_output_is_one_clear_sentence(tmp_path):
    path = tmp_path / "said.trn"
    path.write_text("HE SAID (one)\n")
    command = [sys.executable, "-m", "asr", "score", path, path]
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    expected = "asr: the output can't be written: No space left on device\n"
    assert (result.returncode, result.stderr) == (1, expected)


def test_a_pipe_is_written_into_and_stays_one(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    write_text(path, "written")
    assert os.read(reader, 100) == b"written"
    os.close(reader)
    assert path.is_fifo()
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_goes_on_leading_to_what_is_written(tmp_path):
    link, target = tmp_path / "link", tmp_path / "target.txt"
    link.symlink_to(target)
    write_text(link, "one")
    write_text(link, "two")
    assert (link.is_symlink(), target.read_text()) == (True, "two")


def test_text_that_is_not_unicode_is_one_clear_sentence(tmp_path):
    with pytest.raises(AsrError, match=r"x.json can't be written: \\udce9 in its text is"):
        write_text(tmp_path / "x.json", "caf\udce9")
    assert not list(tmp_path.iterdir())


def test_evaluates_and_writes_figures_and_hypotheses(librivox, tmp_path):
    files = ["--json", tmp_path / "r.json", "--hyp", tmp_path / "hyp.txt"]
    files += ["--sclite", tmp_path / "nist", "--report", tmp_path / "report.html", "--details"]
    write_manifest(tmp_path / "clips.jsonl", librivox)
    broken = tmp_path / "broken.jsonl"
    (tmp_path / "gone.wav").touch()
    record = {"audio_filepath": "gone.wav", "duration": 1, "text": "X", "utterance_id": "gone"}
    write_manifest(broken, [replace(u, utterance_id=f"{u.utterance_id}-2") for u in librivox])
    with broken.open("a") as file:
        file.write(json.dumps(record) + "\n")
    result = run("evaluate", tmp_path / "clips.jsonl", broken, "--alignments", "--pool", *files)
    assert result.returncode == 1  # one utterance could not be scored
    assert "not scored: gone: " in result.stderr
    assert "REF: HE" in result.stdout
    report = json.loads((tmp_path / "r.json").read_text())
    clips, with_broken, pooled = report["sets"]
    assert clips["name"] == "clips"
    assert (clips["utterances"], clips["words"], clips["failed"]) == (5, 71, 0)
    assert (with_broken["utterances"], with_broken["failed"]) == (5, 1)
    assert clips["wer"] == with_broken["wer"] == pooled["wer"]
    assert 0 < clips["cer"] < clips["wer"] < 1
    assert pooled["words"] == 2 * clips["words"]
    assert clips["rtf"] > 0
    low, high = clips["wer_interval"]
    assert low < clips["wer"] < high
    assert clips["interval_over"] == "utterances"  # of so few speakers
    assert sum(group["words"] for group in clips["lengths"]) == clips["words"]
    assert {path.name for path in (tmp_path / "nist").iterdir()} >= {"clips.ref.trn", "clips.ctm"}
    assert "broken: the most frequent errors" in result.stdout
    rows = [line for line in result.stdout.splitlines() if line.startswith((" clips", " broken"))]
    assert max(map(len, rows)) <= 100
    assert "clips, broken: word errors" in (tmp_path / "report.html").read_text(encoding="utf-8")
    lines = (tmp_path / "hyp.txt").read_text().splitlines()
    assert [line.split()[0] for line in lines[:5]] == [u.utterance_id for u in librivox]


def evaluate(*arguments):
    return cli.main(["evaluate", *map(str, arguments), "--decoder", "greedy"])


def test_an_output_that_can_not_be_written_loses_no_other(librivox, tmp_path, capsys):
    clips = tmp_path / "clips.jsonl"
    write_manifest(clips, librivox[1:2])
    text, figures = tmp_path / "hyp.txt", tmp_path / "r.json"
    outputs = ["--hyp", text, "--sclite", tmp_path / "nist", "--report", tmp_path / "page.html"]
    assert evaluate(clips, *outputs, "--json", tmp_path) == 1
    complaint = f"asr: {tmp_path} can't be written: it is a folder; name a file\n"
    assert capsys.readouterr() == ("", complaint)  # at once: nothing has been scored
    assert evaluate(clips, *outputs[:2], "--sclite", clips / "nist") == 1
    assert f"{clips} is a file, not a folder" in capsys.readouterr().err
    assert not text.exists()
    outputs[1] = tmp_path / ("x" * 300)  # shows when it is written
    assert evaluate(clips, *outputs, "--json", figures) == 1
    (complaint,) = [line for line in capsys.readouterr().err.splitlines() if "asr: " in line]
    assert "can't be written: File name too long" in complaint
    assert {"nist", "page.html", "r.json"} <= {path.name for path in tmp_path.iterdir()}


def test_sets_of_one_name_are_told_apart(librivox, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gone = replace(librivox[0], audio_filepath="gone.wav")
    for folder, clips in (("a", librivox[1:2]), ("b", librivox[1:3]), ("c", [gone])):
        (tmp_path / folder).mkdir()
        write_manifest(tmp_path / folder / "dev.jsonl", clips)
    sets = [f"{folder}/dev.jsonl" for folder in "abc"]
    assert evaluate(*sets, "--sclite", "nist", "--json", "r.json") == 1
    assert {f"{x}_dev.jsonl.ref.trn" for x in "abc"} <= {p.name for p in Path("nist").iterdir()}
    records = json.loads(Path("r.json").read_text())["sets"]
    assert [record["name"] for record in records] == sets
    assert [record["utterances"] for record in records] == [1, 2, 0]
    # Where nothing was scored there is no error rate.
    assert records[2]["wer"] is records[2]["cer"] is None
    (row,) = [line for line in capsys.readouterr().out.splitlines() if sets[2] in line]
    assert row.split() == [sets[2], "greedy", "0", "0", *"--000---"]
    assert evaluate(*sets[:2], "--hyp", "hyp.txt") == 1
    name = librivox[1].utterance_id
    assert f"utterance {name} of {sets[1]} is in {sets[0]} already" in capsys.readouterr().err
    assert evaluate(sets[0], sets[0]) == 1
    assert f"{sets[0]} is given 2 times" in capsys.readouterr().err


def test_what_a_folder_lacks_is_reported(librivox, tmp_path, capsys):
    chapter = tmp_path / "dev" / "7" / "1"
    chapter.mkdir(parents=True)
    texts = [librivox[1].text, "GONE", "ROOM 101"]
    lines = [f"7-1-000{number} {text}\n" for number, text in enumerate(texts)]
    (chapter / "7-1.trans.txt").write_text("".join(lines))
    for number in (0, 2):
        shutil.copy(librivox[1].audio_filepath, chapter / f"7-1-000{number}.wav")
    assert evaluate(tmp_path / "dev", "--json", tmp_path / "r.json") == 1
    complaints = [line for line in capsys.readouterr().err.splitlines() if "asr: " in line]
    assert [line.partition(" (")[0] for line in complaints] == [
        "asr: not scored: 7-1-0001",
        "asr: not scored: 7-1-0002",
    ]
    (record,) = json.loads((tmp_path / "r.json").read_text())["sets"]
    assert (record["utterances"], record["failed"]) == (1, 2)


def test_a_folder_of_subsets_gives_a_row_for_each(librivox, tmp_path):
    for subset, clip in zip(("one", "two"), librivox, strict=False):
        chapter = tmp_path / "corpus" / subset / "7" / "1"
        chapter.mkdir(parents=True)
        (chapter / "7-1.trans.txt").write_text(f"7-1-0000 {clip.text}\n")
        shutil.copy(clip.audio_filepath, chapter / "7-1-0000.wav")
    sets = [read_data(path) for path in (tmp_path / "corpus", tmp_path / "corpus" / "two")]
    assert [[data.name for data in found] for found in sets] == [["one", "two"], ["two"]]
    assert sets[0][1].utterances == sets[1][0].utterances


def test_the_python_interface(librivox):
    transcriber = asr.load()
    transcript = transcriber.transcribe(librivox[1].audio_filepath)
    assert transcript.duration == pytest.approx(2.99)
    assert transcript.text == transcript.text.upper() != ""
    with pytest.raises(asr.AsrError, match="does not exist"):
        transcriber.transcribe("missing.wav")
    with pytest.raises(asr.AsrError, match="there is no decoder 'wide'"):
        asr.load(decoder="wide")
