"""Each script of recipes/examples, run as a user runs it, on real speech."""

import difflib
import os
import re
import subprocess
import sys
from pathlib import Path

import jiwer
import numpy as np
import pytest
import soundfile
import srt

PROJECT = Path(__file__).resolve().parents[1]
EXAMPLES = PROJECT / "recipes" / "examples"
CLIPS = PROJECT / "tests" / "data" / "librivox"


def run(name, *arguments, status=0):
    """Standard output and standard error of an example, as lines."""
    paths = [str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        timeout=280,
        check=False,
    )
    assert done.returncode == status, done.stderr
    return done.stdout.splitlines(), done.stderr.splitlines()


def clip(librivox, number):
    """The clip with this number at the end of its id."""
    return next(u for u in librivox if u.utterance_id.endswith(number))


def test_every_example_is_tested():
    tested = set(re.findall(r'run\(\s*"(\w+)"', Path(__file__).read_text(encoding="utf-8")))
    assert {path.stem for path in EXAMPLES.glob("*.py")} == tested


def test_batch_to_subtitles(librivox, tmp_path):
    talks, subtitles = tmp_path / "talks", tmp_path / "subtitles"
    talks.mkdir()
    said = {}
    for number in ("0920", "0930"):
        utterance = clip(librivox, number)
        source = Path(utterance.audio_filepath)
        (talks / source.name).write_bytes(source.read_bytes())
        said[source.name] = utterance
    (talks / "notes.txt").write_text("no audio\n", encoding="utf-8")

    output, errors = run("batch_to_subtitles", talks, subtitles, status=1)

    assert len(output) == len(said)
    assert len(errors) == 1
    assert "notes.txt" in errors[0]
    assert sorted(path.name for path in subtitles.iterdir()) == [f"{name}.srt" for name in said]
    for name, utterance in said.items():
        cues = list(srt.parse((subtitles / f"{name}.srt").read_text(encoding="utf-8")))
        assert 0 <= cues[0].start.total_seconds() < cues[-1].end.total_seconds()
        assert cues[-1].end.total_seconds() <= utterance.duration
        text = " ".join(cue.content for cue in cues).upper().split()
        assert jiwer.wer(utterance.text, " ".join(text)) < 0.3


def test_segments_as_they_come(librivox, tmp_path):
    """Two readings of the clips, half a second apart, are longer than one segment may be."""
    pause = np.zeros(8000, np.float32)
    clips = [soundfile.read(u.audio_filepath, dtype="float32")[0] for u in librivox]
    parts = [part for samples in clips * 2 for part in (samples, pause)]
    samples = np.concatenate(parts)
    soundfile.write(tmp_path / "lecture.wav", samples, 16000)

    output, _ = run("segments_as_they_come", tmp_path / "lecture.wav")

    line = re.compile(r"(\d):(\d\d):(\d\d\.\d) - (\d):(\d\d):(\d\d\.\d) ([01]\.\d\d)([ ?]) (\S.*)")
    found = [line.fullmatch(text) for text in output]
    assert len(found) > 1
    assert all(found)
    edges = []
    for match in found:
        h1, m1, s1, h2, m2, s2, confidence, mark, _ = match.groups()
        edges += [
            3600 * int(h1) + 60 * int(m1) + float(s1),
            3600 * int(h2) + 60 * int(m2) + float(s2),
        ]
        assert (mark == "?") == (float(confidence) < 0.7)
    assert edges == sorted(edges)
    assert edges[-1] <= len(samples) / 16000 + 0.05
    said = " ".join(u.text for u in [*librivox, *librivox])
    assert jiwer.wer(said, " ".join(match[9] for match in found)) < 0.3


def test_hot_words(librivox):
    """One of three spellings of PRUDENTLY, or of what it is mistaken for, is found."""
    hotwords = ["Prudently", "Prudentley", "Crudeley"]
    output, _ = run("hot_words", clip(librivox, "0870").audio_filepath, *hotwords)

    without, favoured = (line.split(":")[1].split() for line in output[:2])
    assert output[0].startswith("without: ")
    assert output[1].startswith("with: ")
    assert {word.upper() for word in hotwords} & set(favoured)
    blocks = difflib.SequenceMatcher(None, without, favoured).get_opcodes()
    assert len(output) - 2 == sum(kind != "equal" for kind, *_ in blocks)
    for line in output[2:]:
        old, new = re.fullmatch(r"(.+) -> (.+) \(confidence [01]\.\d\d\)", line).groups()
        assert old == "-" or old in " ".join(without)
        assert new == "-" or new in " ".join(favoured)


@pytest.mark.parametrize("wrong", [None, "GIRAFFE"])
def test_align_words(librivox, tmp_path, wrong):
    utterance = clip(librivox, "0870")
    words = utterance.text.split()
    if wrong:
        words[words.index("LEISURE")] = wrong
    (tmp_path / "text.txt").write_text(" ".join(words).capitalize() + ".\n", encoding="utf-8")

    output, _ = run(
        "align_words", utterance.audio_filepath, tmp_path / "text.txt", status=1 if wrong else 0
    )

    rows = [line.split() for line in output[:-1]]
    assert [row[3] for row in rows] == words
    times = [float(time) for row in rows for time in row[:2]]
    assert times == sorted(times)
    assert [row[3] for row in rows if row[4:] == ["?"]] == ([wrong] if wrong else [])
    assert output[-1] == f"{len(words)} words in 7.10 s, {1 if wrong else 0} doubtful"
    # The words begin with the sound (20 dB above the clip's quietest tenth) and outlast it: the
    # last one fades in an M.
    samples, rate = soundfile.read(utterance.audio_filepath)
    frames = samples[: len(samples) // 160 * 160].reshape(-1, 160)
    level = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)
    loud = np.flatnonzero(level > np.quantile(level, 0.1) + 20) * 160 / rate
    assert times[0] == pytest.approx(loud[0], abs=0.15)
    assert loud[-1] <= times[-1] <= utterance.duration


def test_score_transcripts(librivox, tmp_path):
    texts = [u.text.split() for u in librivox]
    texts[0] = texts[0][:-2]  # two deletions
    texts[1] = ["SO", *texts[1]]  # an insertion
    texts[2][3:6] = ["RATTLE", "GOLD", "HARDENED"]  # three substitutions
    lines = [f"{' '.join(t)} ({u.utterance_id})" for u, t in zip(librivox, texts, strict=True)]
    (tmp_path / "theirs.trn").write_text("\n".join(lines[::-1]) + "\n", encoding="utf-8")

    output, _ = run("score_transcripts", CLIPS / "librivox.jsonl", tmp_path / "theirs.trn")

    said = [u.text for u in librivox]
    words = sum(len(text.split()) for text in said)
    wer = 100 * jiwer.wer(said, [" ".join(text) for text in texts])
    assert output[0].startswith(f"WER {wer:.2f} % of {words} words (95 %: ")
    assert output[0].endswith(", 3 S, 2 D, 1 I")
    ids = [line for line in output if line.startswith("sense_and")]
    assert ids == [librivox[i].utterance_id for i in (2, 0, 1)]
    assert sum(line.startswith("HYP: ") for line in output) == 3
