import io
import json
import os
import shutil
from pathlib import Path

import pytest
import soundfile
from rich.console import Console

from asr.corpora.librispeech import prepare, read_subset
from asr.corpora.manifest import read_manifest
from asr.corpora.summary import Problem, Reason, print_summary
from asr.errors import AsrError

SPEECH = sorted((Path(__file__).parent / "data" / "librivox").glob("*.wav"))
SHARED = Path(__file__).resolve().parents[2] / "shared" / "librispeech"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/librispeech is not there")


def make_chapter(folder, lines, *, audio=None):
    """A chapter with real speech for each id of ``audio``, else for each of ``lines``."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{folder.parent.name}-{folder.name}"
    (folder / f"{name}.trans.txt").write_text("".join(f"{name}-{line}\n" for line in lines))
    for index, number in enumerate(audio or [line.split()[0] for line in lines]):
        samples, rate = soundfile.read(SPEECH[index % len(SPEECH)])
        soundfile.write(folder / f"{name}-{number}.flac", samples, rate)
    return folder


def printed(summary):
    console = Console(file=io.StringIO(), width=60)
    print_summary(summary, console)
    return console.file.getvalue()


def test_writes_a_manifest_for_each_subset(tmp_path, monkeypatch):
    make_chapter(tmp_path / "own-b" / "7" / "1", ["0000 HELLO THERE"])
    make_chapter(tmp_path / "own-a" / "84" / "9", ["0001 It's Naïve.", "0000 TWO"])
    (tmp_path / "manifests-of-old").mkdir()
    monkeypatch.chdir(tmp_path)
    first, second = prepare(".", None, "out")
    assert (first.name, second.name) == ("own-a", "own-b")
    assert first.manifest == Path("out/own-a.jsonl")
    assert first.problems == second.problems == ()
    a, b = read_manifest(first.manifest)
    assert (a.utterance_id, b.utterance_id) == ("84-9-0000", "84-9-0001")
    assert (b.text, b.speaker) == ("IT'S NAIVE", "84")
    assert b.audio_filepath == str(tmp_path / "own-a" / "84" / "9" / "84-9-0001.flac")
    assert b.duration == soundfile.info(SPEECH[0]).duration
    assert first.hours == pytest.approx((a.duration + b.duration) / 3600)
    assert "own-a: 2 utterances, 0.00 hours in out/own-a.jsonl\n" in printed(first)
    assert not list(Path("out").glob("*.skipped.tsv"))


def test_takes_the_parent_and_only_the_subsets_asked_for(tmp_path):
    for name in ("one", "two", "three"):
        make_chapter(tmp_path / "LibriSpeech" / name / "7" / "1", ["0000 HELLO"])
    summaries = prepare(tmp_path, ["two", "one/", "two"], tmp_path / "out")
    assert [summary.name for summary in summaries] == ["two", "one"]


def test_reports_everything_that_is_left_out(tmp_path):
    chapter = make_chapter(
        tmp_path / "own" / "84" / "9",
        ["0000 GOOD", "0001", "0002 ROOM 101", "0003 NO AUDIO", "0004 HOLLOW", "0000 AGAIN"],
        audio=["0000", "0001", "0002", "0004", "0005", "0006"],
    )
    (chapter / "84-9-0004.flac").write_bytes(b"")
    (chapter / "84-9-0006.flac").write_bytes(SPEECH[0].read_bytes()[:3000])
    shutil.copy(SPEECH[1], chapter / "84-9-0000.wav")
    other = make_chapter(tmp_path / "own" / "85" / "1", ["0000 WORDS"])
    (other / "85-1.trans.txt").write_bytes(b"85-1-0000 CAF\xc9\n")
    [summary] = prepare(tmp_path, ["own"], tmp_path / "out")
    assert summary.utterances == 1
    where = "84/9/84-9.trans.txt, line"
    assert set(summary.problems) == {
        Problem(f"84-9-0001 ({where} 2)", Reason.EMPTY),
        Problem(f"84-9-0002 ({where} 3)", Reason.FOREIGN, "'1' '0' in: ROOM 101"),
        Problem(f"84-9-0003 ({where} 4)", Reason.NO_AUDIO),
        Problem(f"84-9-0004 ({where} 5)", Reason.BAD_AUDIO, "is empty (0 bytes)"),
        Problem(
            f"84-9-0000 ({where} 6)",
            Reason.DUPLICATE,
            f"has the same utterance id as 84-9-0000 ({where} 1)",
        ),
        Problem(
            "84/9/84-9-0000.wav",
            Reason.DUPLICATE,
            "has the same utterance id as 84/9/84-9-0000.flac",
        ),
        Problem("84/9/84-9-0005.flac", Reason.NO_TRANSCRIPT),
        Problem("84/9/84-9-0006.flac", Reason.NO_TRANSCRIPT),
        Problem(
            "85/1/85-1.trans.txt", Reason.BAD_TRANSCRIPT, "is not UTF-8 text; save it as UTF-8"
        ),
        Problem("85/1/85-1-0000.flac", Reason.NO_TRANSCRIPT),
    }
    text = printed(summary)
    assert "left out, audio without transcript: 3\n    84/9/84-9-0005.flac\n" in text
    assert f"84-9-0002 ({where} 3): '1' '0' in: ROOM 101\n" in text
    rows = (tmp_path / "out" / "own.skipped.tsv").read_text().splitlines()
    assert len(rows) == 1 + len(summary.problems)
    assert f"84-9-0004 ({where} 5)\tunreadable or empty audio\tis empty (0 bytes)" in rows

    # All mended: the list of an earlier time goes.
    shutil.rmtree(chapter.parent.parent)
    make_chapter(chapter, ["0000 GOOD"])
    assert prepare(tmp_path, ["own"], tmp_path / "out")[0].skipped is None
    assert not (tmp_path / "out" / "own.skipped.tsv").exists()


def test_shows_twenty_of_a_reason_and_lists_all(tmp_path):
    lines = ["0000 GOOD", *(f"{number:04} MISSING" for number in range(1, 31))]
    make_chapter(tmp_path / "own" / "84" / "9", lines, audio=["0000"])
    [summary] = prepare(tmp_path, None, tmp_path / "out")
    text = printed(summary)
    assert "left out, transcript without audio: 30" in text
    assert "84-9-0020" in text
    assert "84-9-0021" not in text
    assert "    and 10 more\n" in text
    assert f"listed in {tmp_path / 'out' / 'own.skipped.tsv'}" in text
    assert len(summary.skipped.read_text().splitlines()) == 31


def test_says_when_a_published_subset_is_not_whole(tmp_path):
    make_chapter(tmp_path / "dev-other" / "7" / "1", ["0000 HELLO"])
    [summary] = prepare(tmp_path, None, tmp_path / "out")
    [note] = summary.notes
    assert "dev-other as published has 2864 utterances, not 1" in note
    assert note in printed(summary)


@pytest.mark.skipif(os.name == "nt", reason="names of files are always text there")
def test_a_name_that_is_no_text(tmp_path):
    chapter = make_chapter(tmp_path / "own" / "84" / "9", ["0000 GOOD"])
    try:
        shutil.copy(SPEECH[0], os.fsencode(chapter) + b"/caf\xe9.wav")
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    [summary] = prepare(tmp_path, None, tmp_path / "out")
    assert summary.problems == (Problem("84/9/caf\\udce9.wav", Reason.NO_TRANSCRIPT),)


def test_what_can_not_be_prepared_is_said(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(AsrError, match=r"nowhere is not a folder"):
        prepare(tmp_path / "nowhere", None, out)
    with pytest.raises(AsrError, match="holds no subset in LibriSpeech's layout"):
        prepare(tmp_path, None, out)
    chapter = make_chapter(tmp_path / "own" / "84" / "9", ["0000 GOOD"])
    with pytest.raises(AsrError, match="has no subset ovn; it has own"):
        prepare(tmp_path, ["ovn"], out)
    with pytest.raises(AsrError, match=r"has no subset dev-clean .*--download fetches it"):
        prepare(tmp_path, ["dev-clean"], out)
    with pytest.raises(AsrError, match="give the folder that holds the subset"):
        prepare(tmp_path / "own", None, out)
    assert not out.exists()
    out.write_text("a file")
    with pytest.raises(AsrError, match="can't be made"):
        prepare(tmp_path, None, out)
    out.unlink()
    (chapter / "84-9-0000.flac").write_bytes(b"not audio")
    with pytest.raises(AsrError, match=r"nothing of own can be used; .*not audio in a format"):
        prepare(tmp_path, None, out)
    assert (out / "own.skipped.tsv").exists()
    assert not (out / "own.jsonl").exists()


def test_reads_a_subset_or_a_part_of_one(tmp_path):
    make_chapter(tmp_path / "own" / "84" / "9", ["0000 GOOD"])
    for folder in (tmp_path / "own", tmp_path / "own" / "84", tmp_path / "own" / "84" / "9"):
        [utterance], problems = read_subset(folder)
        assert (utterance.utterance_id, utterance.speaker, problems) == ("84-9-0000", "84", [])
    with pytest.raises(AsrError, match="is not a folder"):
        read_subset(tmp_path / "other")


@needs_shared
def test_a_real_subset_is_read_whole(tmp_path):
    [summary] = prepare(SHARED, ["dev-other"], tmp_path)
    assert (summary.utterances, summary.problems) == (1045, ())
    assert summary.hours == pytest.approx(1.90, abs=0.01)
    records = [json.loads(line) for line in summary.manifest.read_text().splitlines()]
    assert len({record["speaker"] for record in records}) == 12
    assert all(Path(record["audio_filepath"]).is_file() for record in records)
    [complete] = prepare(SHARED / "LibriSpeech", ["train-clean-5"], tmp_path)
    assert (complete.utterances, complete.notes) == (1519, ())
