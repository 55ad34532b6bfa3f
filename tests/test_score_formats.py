"""asr score on what recognisers and subtitle editors write, and on this project's own outputs."""

import json

import pytest

from asr.cli import main as cli
from asr.scoring.transcripts import read_transcripts
from asr.transcript import Segment, Transcript, Word
from asr.transcription.writers import WRITERS

REFERENCES = {"talk": "HELLO THERE WORLD", "walk": "ONE TWO"}


def spoken(name, text, folder="/speech"):
    """A transcript of two segments."""
    words = [Word(word, 0.5 * n, 0.5 * n + 0.4, 0.9) for n, word in enumerate(text.split())]
    segments = [
        Segment(part[0].start, part[-1].end, " ".join(w.text for w in part), -1.0, tuple(part))
        for part in (words[:1], words[1:])
    ]
    return Transcript(f"{folder}/{name}.wav", 2.0, tuple(segments))


@pytest.mark.parametrize("format", WRITERS)
def test_files_of_transcribe_are_read_back(tmp_path, format):
    transcript = spoken("talk", REFERENCES["talk"])
    path = tmp_path / f"talk.{format}"
    path.write_text(WRITERS[format](transcript))
    if format == "ctm" or format == "txt":  # Words by time; and lines without ids.
        path = tmp_path
    (found,) = read_transcripts(path, role="hypothesis")
    assert (found.utterance_id, found.text) == ("talk", REFERENCES["talk"])


@pytest.mark.parametrize("formats", [["txt"], ["json", "srt"], list(WRITERS)])
def test_a_folder_of_transcribe_is_a_hypothesis(tmp_path, formats, capsys):
    folder = tmp_path / "out"
    folder.mkdir()
    for name, text in REFERENCES.items():
        for format in formats:
            (folder / f"{name}.{format}").write_text(WRITERS[format](spoken(name, text)))
    lines = [f"{name} {text}\n" for name, text in REFERENCES.items()]
    (tmp_path / "ref.txt").write_text("".join(lines))
    output = tmp_path / "f.json"
    assert cli.main(["score", str(tmp_path / "ref.txt"), str(folder), "--json", str(output)]) == 0
    (figures,) = json.loads(output.read_text())["sets"]
    assert (figures["words"], figures["wer"], figures["utterances"]) == (5, 0, 2)


def test_printed_lines_of_path_and_text(tmp_path):
    (tmp_path / "h").write_text("/a/talk.wav\tHELLO\nb c/walk.flac\tONE TWO\nwalk.mp3\t\n")
    found = read_transcripts(tmp_path / "h")
    names = [utterance.utterance_id for utterance in found]
    assert names == ["talk", "b c/walk", "walk"]
    assert [utterance.text for utterance in found] == ["HELLO", "ONE TWO", ""]


def test_equal_names_in_a_folder_keep_their_folders(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "talk.txt").write_text(f"IN {folder}\n")
    found = {u.utterance_id: u.text for u in read_transcripts(tmp_path)}
    assert found == {"a/talk": "IN a", "b/talk": "IN b"}


SRT = """1
00:00:00,500 --> 00:00:01,500
<i>Hello</i> there,

2
00:00:02,000 --> 00:00:03,000
world.
second line
"""
VTT = """WEBVTT - a title

NOTE this is
no text

first
00:00.500 --> 00:01.500 align:start
<v Anna>Hello <00:01.000>there,

00:02.000 --> 00:03.000
world.
second line
"""


@pytest.mark.parametrize(("name", "text"), [("talk.srt", SRT), ("talk.vtt", VTT), ("talk", SRT)])
def test_subtitles_are_the_text_of_one_recording(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    (found,) = read_transcripts(tmp_path / name)
    assert (found.utterance_id, found.text) == ("talk", "Hello there, world. second line")


def test_subtitles_are_read_as_by_other_parsers(tmp_path):
    srt, webvtt = pytest.importorskip("srt"), pytest.importorskip("webvtt")
    transcript = spoken("talk", "ONE TWO THREE")
    for format in ("srt", "vtt"):
        path = tmp_path / f"talk.{format}"
        path.write_text(WRITERS[format](transcript))
        cues = (
            [cue.content for cue in srt.parse(path.read_text())]
            if format == "srt"
            else [cue.text for cue in webvtt.read(str(path))]
        )
        assert read_transcripts(path)[0].text == " ".join(cues)


def test_tables_of_recordings_and_texts(tmp_path):
    (tmp_path / "h.tsv").write_text("path\tsentence\ntalk.mp3\tHello there\nwalk\tone\n")
    found = {u.utterance_id: u.text for u in read_transcripts(tmp_path / "h.tsv")}
    assert found == {"talk": "Hello there", "walk": "one"}
    (tmp_path / "h.csv").write_text("file,when\na.wav,1\n")
    with pytest.raises(Exception, match="has no column of text"):
        read_transcripts(tmp_path / "h.csv")


def test_a_hypothesis_of_nemo_is_its_pred_text(tmp_path):
    lines = [
        {"audio_filepath": "a.wav", "duration": 2.1, "text": "the boat", "pred_text": "a boat"},
        {"audio_filepath": "b.wav", "duration": 3.4, "text": "the door", "pred_text": "door"},
    ]
    path = tmp_path / "nemo.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    output = tmp_path / "f.json"
    assert cli.main(["score", str(path), str(path), "--json", str(output)]) == 0
    (figures,) = json.loads(output.read_text())["sets"]
    assert (figures["words"], figures["substitutions"], figures["deletions"]) == (4, 1, 1)
    path.write_text(path.read_text() + '{"audio_filepath": "c.wav", "text": "x"}\n')
    with pytest.raises(Exception, match=r"line 3 of .* has no pred_text"):
        read_transcripts(path, role="hypothesis")
