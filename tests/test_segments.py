"""Utterances that are segments of longer recordings: tables with times, NeMo's offsets, Kaldi."""

import json

import numpy as np
import pytest
import soundfile

from asr.audio.read import SAMPLE_RATE, load_audio
from asr.cli.main import main
from asr.corpora.manifest import read_manifest
from asr.corpora.utterance_audio import load_utterance
from asr.errors import AsrError


@pytest.fixture
def talk(tmp_path, librivox):
    """Two clips in one file, and the second at which each begins and ends."""
    clips = [load_audio(utterance.audio_filepath) for utterance in librivox[1:3]]
    soundfile.write(tmp_path / "talk.wav", np.concatenate(clips), SAMPLE_RATE, subtype="FLOAT")
    edges = np.cumsum([0, *map(len, clips)]) / SAMPLE_RATE
    return tmp_path / "talk.wav", clips, [float(edge) for edge in edges]


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("columns", ["start,end", "start_time,end_time", "offset,duration"])
def test_a_table_with_times_gives_segments(tmp_path, talk, librivox, columns):
    _, clips, edges = talk
    rows = [f"path,{columns},sentence"]
    for n, clip in enumerate(librivox[1:3]):
        last = edges[n + 1] - edges[n] if "duration" in columns else edges[n + 1]
        rows.append(f"talk.wav,{edges[n]},{last},{clip.text}")
    (tmp_path / "times.csv").write_text("\n".join(rows) + "\n")
    out = tmp_path / "out"
    assert main(["prepare", "folder", str(tmp_path), "-o", str(out)]) == 0
    records = read(out / "times.jsonl")
    assert [record["text"] for record in records] == [clip.text for clip in librivox[1:3]]
    assert [record["offset"] for record in records] == edges[:2]
    assert [record["utterance_id"] for record in records] == [
        f"talk_{round(1000 * edge):08d}" for edge in edges[:2]
    ]
    for utterance, clip in zip(read_manifest(out / "times.jsonl"), clips, strict=True):
        np.testing.assert_array_equal(load_utterance(utterance), clip)


def test_segments_are_evaluated_as_the_clips_they_are(tmp_path, talk, librivox, capsys):
    path, _, edges = talk
    whole, parts = [], []
    for n, clip in enumerate(librivox[1:3]):
        record = {"audio_filepath": clip.audio_filepath, "duration": clip.duration}
        whole.append({**record, "text": clip.text, "utterance_id": str(n)})
        times = {"offset": edges[n], "duration": edges[n + 1] - edges[n]}
        parts.append({**whole[n], "audio_filepath": str(path), **times})
    parts.append({**parts[0], "utterance_id": "late", "offset": 3600.0})
    for name, records in (("whole", whole), ("parts", parts)):
        text = "".join(json.dumps(record) + "\n" for record in records)
        (tmp_path / f"{name}.jsonl").write_text(text)
        hyp = ["--hyp", str(tmp_path / f"{name}.txt"), "--decoder", "greedy"]
        status = main(["evaluate", str(tmp_path / f"{name}.jsonl"), *hyp])
        assert status == (1 if name == "parts" else 0)
    assert (tmp_path / "whole.txt").read_text() == (tmp_path / "parts.txt").read_text()
    assert "not scored: late: " in (error := capsys.readouterr().err)
    assert "has no audio at 3600 s, where late begins" in error


def test_nemo_gives_whole_recordings_an_offset_of_zero(tmp_path, talk):
    path, clips, edges = talk
    record = {"audio_filepath": str(path), "offset": 0.0, "text": "x"}
    for duration, samples in (
        (round(edges[2], 2), len(clips[0]) + len(clips[1])),
        (1.0, SAMPLE_RATE),
    ):
        (tmp_path / "m.jsonl").write_text(json.dumps({**record, "duration": duration}))
        (utterance,) = read_manifest(tmp_path / "m.jsonl")
        assert len(load_utterance(utterance)) == samples
        assert utterance.utterance_id == "talk"


@pytest.mark.parametrize("offset", [-1, True, "1", 1e12])
def test_an_offset_that_is_no_time_is_refused(tmp_path, offset):
    record = {"audio_filepath": "a.wav", "duration": 1, "text": "x", "offset": offset}
    (tmp_path / "m.jsonl").write_text(json.dumps(record))
    with pytest.raises(AsrError, match=r"line 1 of .* has an offset that is no time in seconds"):
        read_manifest(tmp_path / "m.jsonl")


def test_rows_without_sensible_times_are_reported(tmp_path, talk, capsys):
    rows = ["0,1,one", "1,0.5,two", "1,x,three", "2,99,four", "0:00:01.5,0:00:02,five"]
    table = "path,start,end,text\n" + "".join(f"talk.wav,{row}\n" for row in rows)
    (tmp_path / "t.csv").write_text(table)
    assert main(["prepare", "folder", str(tmp_path), "-o", str(tmp_path / "out")]) == 0
    records = read(tmp_path / "out" / "t.jsonl")
    assert [(r["text"], r["offset"], r["duration"]) for r in records] == [
        ("ONE", 0, 1),
        ("FIVE", 1.5, 0.5),
    ]
    skipped = (tmp_path / "out" / "t.skipped.tsv").read_text()
    assert skipped.count("its start and end are no times") == 2
    assert "its segment ends at 99 s, its audio at" in skipped
    (tmp_path / "t.csv").write_text("path,start,text\ntalk.wav,0,one\n")
    assert main(["prepare", "folder", str(tmp_path), "-o", str(tmp_path / "out")]) == 1
    assert "none of the end or the duration" in capsys.readouterr().err


def test_segments_of_a_kaldi_directory(tmp_path, talk):
    folder = tmp_path / "train"
    folder.mkdir()
    (folder / "wav.scp").write_text(f"rec {talk[0]}\n")
    (folder / "segments").write_text("ann-1 rec 0.0 1.5\nann-2 rec 1.5 2.25\n")
    (folder / "text").write_text("ann-1 one\nann-2 two\n")
    assert main(["prepare", "kaldi", str(tmp_path), "-o", str(tmp_path / "out")]) == 0
    (manifest,) = (tmp_path / "out").glob("*.jsonl")
    found = {r["utterance_id"]: (r["offset"], r["duration"]) for r in read(manifest)}
    assert found == {"ann-1": (0.0, 1.5), "ann-2": (1.5, 0.75)}
    (folder / "segments").write_text("ann-1 other 0.0 1.5\n")
    assert main(["prepare", "kaldi", str(tmp_path), "-o", str(tmp_path / "out")]) == 1
