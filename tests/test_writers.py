"""What is written is read back by programs that are not ours."""

import csv
import io
import json
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
import srt
import webvtt

from asr.transcript import Reading, Segment, Transcript, Word
from asr.transcription.writers import WRITERS
from asr.transcription.writers.cues import cues

SCLITE = Path("/usr/lib/sctk/bin/sclite")
TEXT = """
IT WAS NOT UNTIL THE MIDDLE OF THE AFTERNOON THAT MISTER DASHWOOD'S CARRIAGE CAME UP THE LONG DRIVE
AND HIS WIDOW WHO HAD BEEN AT THE WINDOW SINCE NOON WENT DOWN TO MEET HIM
"""
MANY = TEXT.split()


def say(words, start=0.0, pause=0.05, pauses=None, channel=None):
    """A segment of words, 60 ms a letter, with longer pauses behind some of them."""
    timed, at = [], start + 0.2
    for index, text in enumerate(words):
        end = at + 0.06 * len(text)
        timed.append(Word(text, round(at, 3), round(end, 3), 0.5 + 0.4 * (index % 2)))
        at = end + (pauses or {}).get(index, pause)
    return Segment(start, round(at, 3), " ".join(words), -12.345678, tuple(timed), (), channel)


@pytest.fixture
def long():
    """Minutes of speech with pauses of all lengths, in segments of several seconds."""
    segments, start = [], 0.0
    for number in range(12):
        segments.append(say(MANY, start, pauses={4: 0.3, 9: 0.5, 15: 2.0, 20: 0.1 * number}))
        start = segments[-1].end
    return Transcript("a folder/talk (one).flac", start + 1, tuple(segments))


@pytest.fixture
def apart():
    """Two channels that speak by turns and at the same time."""
    return Transcript(
        "call.wav",
        20.0,
        (
            say(["HELLO"], 0.0, channel=1),
            say(MANY[:12], 0.5, channel=2),
            say(["GOOD", "BYE"], 9.0, channel=1),
        ),
    )


EMPTY = Transcript("silence.wav", 3.0, ())


def seconds(clock):
    hours, minutes, rest = clock.split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(rest)


def spoken(text):
    return text.replace("\n", " ").split()


def check_subtitles(blocks, words):
    """(start, end, text) of each subtitle, in seconds."""
    assert [word for _, _, text in blocks for word in spoken(text)] == words
    for start, end, text in blocks:
        assert 0 < end - start <= 7.0005
        lines = text.split("\n")
        assert len(lines) <= 2
        assert max(map(len, lines)) <= 42
    for before, after in pairwise(blocks):
        assert before[1] <= after[0]


def test_srt_is_read_by_the_srt_package(long):
    parsed = list(srt.parse(WRITERS["srt"](long), ignore_errors=False))
    assert [subtitle.index for subtitle in parsed] == list(range(1, len(parsed) + 1))
    blocks = [(s.start.total_seconds(), s.end.total_seconds(), s.content) for s in parsed]
    check_subtitles(blocks, MANY * 12)
    assert list(srt.parse(WRITERS["srt"](EMPTY))) == []


def test_vtt_is_read_by_webvtt(long):
    parsed = webvtt.from_buffer(io.StringIO(WRITERS["vtt"](long)))
    check_subtitles([(seconds(c.start), seconds(c.end), c.text) for c in parsed], MANY * 12)
    assert len(webvtt.from_buffer(io.StringIO(WRITERS["vtt"](EMPTY)))) == 0


def test_vtt_text_is_no_markup():
    odd = Transcript("x.wav", 2.0, (say(["A<B>", "R&B", "-->"]),))
    text = WRITERS["vtt"](odd)
    assert "A&lt;B&gt; R&amp;B --&gt;" in text


def test_subtitles_break_at_pauses_and_lines_are_even():
    words = [f"WORD{i:02}" for i in range(24)]  # 167 characters: at least two subtitles
    found = cues(Transcript("x.wav", 60.0, (say(words, pauses={13: 0.6}),)))
    assert [word for line in found[0].lines for word in line.split()] == words[:7]
    assert [word for cue in found[:2] for line in cue.lines for word in line.split()] == words[:14]
    two = cues(Transcript("x.wav", 60.0, (say(words[:7]),)))
    assert [len(line) for line in two[0].lines] in ([27, 20], [20, 27])
    one = cues(Transcript("x.wav", 60.0, (say(words[:6]),)))
    assert len(one) == len(one[0].lines) == 1


def test_a_silence_ends_a_subtitle_and_a_short_one_stands_long_enough():
    said = Transcript("x.wav", 60.0, (say(["YES", "NO", "NO"], pauses={0: 5.0, 1: 0.1}),))
    first, second = cues(said)
    assert (first.lines, second.lines) == (("YES",), ("NO NO",))
    assert first.end - first.start == pytest.approx(1.0)


def test_words_beyond_all_limits_stand_alone():
    long = "A" * 60
    drawn = Word("SO", 10.0, 25.0, 0.5)
    (one,) = (say(["IT", "WAS", long, "THEN"]),)
    words = (*one.words, drawn)
    found = cues(Transcript("x.wav", 30.0, (Segment(0, 30, "", 0.0, words),)))
    assert (long,) in [(line,) for cue in found for line in cue.lines]
    assert found[-1].end - found[-1].start == pytest.approx(7.0)


def test_tsv_is_read_by_csv(long, apart):
    for transcript in (long, apart, EMPTY):
        text = WRITERS["tsv"](transcript)
        rows = list(csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE))
        assert [row["text"] for row in rows] == [s.text for s in transcript.segments]
        assert [float(row["start"]) for row in rows] == [s.start for s in transcript.segments]
        assert [float(row["end"]) for row in rows] == [s.end for s in transcript.segments]
        assert [int(row["channel"]) for row in rows] == [
            s.channel or 1 for s in transcript.segments
        ]
        for row, segment in zip(rows, transcript.segments, strict=True):
            assert float(row["confidence"]) == pytest.approx(segment.confidence)


def test_json_has_all_there_is(long, apart):
    record = json.loads(WRITERS["json"](long))
    assert record["audio_filepath"] == long.audio_filepath
    assert record["duration"] == long.duration
    assert record["text"] == long.text == " ".join(MANY * 12)
    assert record["score"] == pytest.approx(12 * -12.345678, abs=1e-3)
    assert record["readings"] == []
    assert len(record["words"]) == len(long.words)
    assert record["words"][3] == {
        "text": "UNTIL",
        "start": long.words[3].start,
        "end": long.words[3].end,
        "confidence": 0.9,
    }
    assert [s["text"] for s in record["segments"]] == [s.text for s in long.segments]
    split = json.loads(WRITERS["json"](apart))
    assert [s["channel"] for s in split["segments"]] == [1, 2, 1]
    assert [w["channel"] for w in split["words"]] == [1] + [2] * 12 + [1, 1]
    assert json.loads(WRITERS["json"](EMPTY))["words"] == []


def test_several_readings_are_written_best_first():
    readings = (Reading("A B", -1.0, -0.5, -2.0), Reading("A", -2.0, -1.5, -2.0))
    segment = Segment(0.0, 1.0, "A B", -1.0, (), readings)
    transcript = Transcript("x.wav", 1.0, (segment,))
    assert WRITERS["txt"](transcript) == "A B\nA\n"
    record = json.loads(WRITERS["json"](transcript))
    assert [r["text"] for r in record["readings"]] == ["A B", "A"]
    assert record["segments"][0]["readings"] == record["readings"]


def test_text_has_a_line_for_each_segment(long, apart):
    assert WRITERS["txt"](long).splitlines() == [" ".join(MANY)] * 12
    assert WRITERS["txt"](apart).splitlines() == [
        "1: HELLO",
        f"2: {' '.join(MANY[:12])}",
        "1: GOOD BYE",
    ]
    assert WRITERS["txt"](EMPTY) == "\n"


def test_channels_show_in_subtitles(apart):
    parsed = list(srt.parse(WRITERS["srt"](apart)))
    marks = [subtitle.content.split()[0] for subtitle in parsed]
    assert marks[0] == marks[-1] == "[1]"
    assert set(marks[1:-1]) == {"[2]"}
    assert max(len(line) for s in parsed for line in s.content.split("\n")) <= 42
    voices = [c.voice for c in webvtt.from_buffer(io.StringIO(WRITERS["vtt"](apart)))]
    assert voices[0] == voices[-1] == "Channel 1"
    assert "Channel 2" in voices


def test_trn_and_ctm_name_recordings_in_one_word(long, apart):
    assert WRITERS["trn"](long) == f"{long.text} (talk_one_)\n"
    assert WRITERS["trn"](apart) == (f"HELLO GOOD BYE (call-1)\n{' '.join(MANY[:12])} (call-2)\n")
    assert WRITERS["trn"](EMPTY) == "(silence)\n"
    rows = [line.split(" ") for line in WRITERS["ctm"](apart).splitlines()]
    assert {len(row) for row in rows} == {6}
    assert [row[1] for row in rows] == ["1"] * 3 + ["2"] * 12
    assert rows[0] == ["call", "1", "0.200", "0.300", "HELLO", "0.5000"]


def sclite(folder, *arguments):
    result = subprocess.run(
        [SCLITE, *arguments, "-o", "rsum", "stdout"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    (total,) = [line for line in result.stdout.splitlines() if "Sum" in line]
    return [int(field) for field in total.replace("|", " ").split() if field.isdigit()]


@pytest.mark.skipif(not SCLITE.exists(), reason="sclite is not installed (Debian: sctk)")
def test_sclite_reads_trn_and_ctm(long, tmp_path):
    words = MANY * 12
    (tmp_path / "hyp.trn").write_text(WRITERS["trn"](long))
    (tmp_path / "ref.trn").write_text(f"EXTRA {' '.join(words)} (talk_one_)\n")
    counted = sclite(tmp_path, "-r", "ref.trn", "trn", "-h", "hyp.trn", "trn", "-i", "rm")
    # sentences, words, right, substituted, deleted, inserted, errors, sentences wrong
    assert counted == [1, len(words) + 1, len(words), 0, 1, 0, 1, 1]
    (tmp_path / "hyp.ctm").write_text(WRITERS["ctm"](long))
    lines = [f"talk_one_ 1 speaker {s.start:.3f} {s.end:.3f} {s.text}\n" for s in long.segments]
    (tmp_path / "ref.stm").write_text("".join(lines))
    counted = sclite(tmp_path, "-r", "ref.stm", "stm", "-h", "hyp.ctm", "ctm")
    assert counted == [12, len(words), len(words), 0, 0, 0, 0, 0]
