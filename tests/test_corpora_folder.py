import codecs
import shutil
from pathlib import Path

import pytest

from asr.corpora.folder import prepare
from asr.corpora.manifest import read_manifest
from asr.corpora.summary import Problem, Reason
from asr.errors import AsrError

SPEECH = sorted((Path(__file__).parent / "data" / "librivox").glob("*.wav"))
SHARED = Path(__file__).resolve().parents[2] / "shared" / "common-voice"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/common-voice is not there")


def put_speech(folder, *names):
    """Real speech under each of the names."""
    for index, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(SPEECH[index % len(SPEECH)], path)


def texts(summary):
    return {u.utterance_id: u.text for u in read_manifest(summary.manifest)}


def prepare_table(folder, name, content):
    (folder / name).write_text(content, encoding="utf-8", newline="")
    return prepare(folder, folder.parent / "out", table=name)


def test_text_files_beside_the_audio(tmp_path):
    folder = tmp_path / "talks"
    put_speech(folder, "a.wav", "deep/er/a.wav", "my talk.wav", "lone.wav", "legacy.wav")
    shutil.copy(SPEECH[0], folder / "a.WAV.wav")
    shutil.copy(SPEECH[1], folder / "a.flac")
    (folder / "a.txt").write_text("First,\nand second.", encoding="utf-8-sig")
    (folder / "deep" / "er" / "a.TXT").write_text("Don’t!", encoding="utf-16")
    (folder / "my talk.txt").write_text("spaces")
    (folder / "legacy.txt").write_bytes(b"caf\xe9")
    (folder / "a.WAV.txt").write_text("- ?")
    (folder / "README.txt").write_text("what this is")
    summary = prepare(folder, tmp_path / "out")
    assert summary.manifest == tmp_path / "out" / "talks.jsonl"
    assert texts(summary) == {
        "a": "FIRST AND SECOND",
        "deep/er/a": "DON'T",
        "my_talk": "SPACES",
    }
    assert set(summary.problems) == {
        Problem("a.wav", Reason.DUPLICATE, "has the same transcript as a.flac"),
        Problem("lone.wav", Reason.NO_TRANSCRIPT),
        Problem("legacy.txt", Reason.BAD_TRANSCRIPT, "is not UTF-8 text; save it as UTF-8"),
        Problem("a.WAV.wav", Reason.EMPTY),
        Problem("README.txt", Reason.NO_AUDIO),
    }


def test_the_same_file_twice(tmp_path):
    folder = tmp_path / "talks"
    put_speech(folder, "a.wav")
    (folder / "b.wav").symlink_to(folder / "a.wav")
    (folder / "a.txt").write_text("one")
    (folder / "b.txt").write_text("one")
    summary = prepare(folder, tmp_path / "out")
    assert summary.problems == (Problem("b.wav", Reason.DUPLICATE, "has the same audio as a.wav"),)


def test_common_voice(tmp_path):
    put_speech(tmp_path / "cv" / "clips", "1.wav", "2.wav", "3.wav")
    summary = prepare_table(
        tmp_path / "cv",
        "validated.tsv",
        "client_id\tpath\tsentence_id\tsentence\tup_votes\n"
        'ab\t1.wav\t9\t"Hello, he said\t2\n'
        'cd\t2.wav\t8\tShe said "yes".\t0\n'
        "cd\t3.wav\t7\tThree\n",  # a row that ends early, but not too early
    )
    assert summary.name == "validated"
    assert summary.problems == ()
    assert texts(summary) == {"1": "HELLO HE SAID", "2": "SHE SAID YES", "3": "THREE"}
    assert [u.speaker for u in read_manifest(summary.manifest)] == ["ab", "cd", "cd"]


def test_ljspeech(tmp_path):
    folder = tmp_path / "LJSpeech-1.1"
    put_speech(folder / "wavs", "LJ001-0001.wav", "LJ001-0002.wav")
    (folder / "metadata.csv").write_text(
        'LJ001-0001|In 1465, "printing|In fourteen sixty-five, "printing\n'
        "LJ001-0002|in being comparatively modern.|in being comparatively modern.\n"
    )
    summary = prepare(folder, tmp_path / "out")
    assert summary.name == "metadata"
    assert summary.problems == ()
    assert texts(summary) == {
        "LJ001-0001": "IN FOURTEEN SIXTY FIVE PRINTING",
        "LJ001-0002": "IN BEING COMPARATIVELY MODERN",
    }


@pytest.mark.parametrize(
    "content",
    [
        "file,text\na.wav,one\nsub/b.wav,two\n",
        "File Name;Speaker;Transcription\r\na;x;one\r\nsub/b;y;two\r\n",
        "text|audio_filepath\none|a.wav\n\ntwo|./sub/b.wav\n",
        "a.wav\tone\nsub/b.wav\ttwo\n",
        '"id","transcript"\n"a","one"\n"sub/b","two"\n',
        "duration,normalized_text,raw,wav\n1,one,1,a\n2,two,2,sub/b\n",
        "a.wav,one\nsub/b.wav,two",
    ],
)
def test_other_tables(tmp_path, content):
    folder = tmp_path / "set"
    put_speech(folder, "a.wav", "sub/b.wav")
    summary = prepare_table(folder, "list.csv", content)
    assert texts(summary) == {"a": "ONE", "sub/b": "TWO"}
    assert summary.problems == ()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(tmp_path, encoding):
    put_speech(tmp_path / "set", "é.wav")
    (tmp_path / "set" / "t.csv").write_text("path,text\né.wav,Café\n", encoding=encoding)
    assert texts(prepare(tmp_path / "set", tmp_path / "out")) == {"é": "CAFE"}


@pytest.mark.parametrize(
    "content",
    [
        "path,text\na.wav,Café\n".encode("latin-1"),
        codecs.BOM_UTF16_LE + b"a",
        "path,text\n".encode("utf-16-le"),
        SPEECH[0].read_bytes(),
    ],
)
def test_a_table_that_is_no_text(tmp_path, content):
    put_speech(tmp_path / "set", "a.wav")
    (tmp_path / "set" / "t.csv").write_bytes(content)
    with pytest.raises(AsrError, match=r"t\.csv is not UTF-8 text"):
        prepare(tmp_path / "set", tmp_path / "out")


def test_a_stray_quotation_mark_swallows_nothing(tmp_path):
    folder = tmp_path / "set"
    put_speech(folder, "a.wav", "b.wav", "c.wav", "d.wav")
    summary = prepare_table(
        folder, "t.csv", 'path,text\na.wav,"one\nb.wav,"two, too"\nc.wav,three\nd.wav,"f" our\n'
    )
    assert summary.problems == ()
    assert texts(summary) == {"a": "ONE", "b": "TWO TOO", "c": "THREE", "d": "F OUR"}


def test_a_text_of_several_lines_and_a_very_long_one(tmp_path):
    folder = tmp_path / "set"
    put_speech(folder, "a.wav", "b.wav")
    summary = prepare_table(folder, "t.csv", 'path,text\na.wav,"one\ntwo"\nb.wav,"say ""yes"""\n')
    assert texts(summary) == {"a": "ONE TWO", "b": "SAY YES"}
    summary = prepare_table(folder, "t.csv", f"path,text\na.wav,{'word ' * 50_000}\nb.wav,two\n")
    assert texts(summary)["b"] == "TWO"


def test_reports_every_row_that_is_left_out(tmp_path):
    folder = tmp_path / "set"
    put_speech(folder, "a.wav", "b.wav", "c.wav", "e.wav", "unlisted.wav")
    (folder / "d.wav").write_bytes(SPEECH[0].read_bytes()[:20])
    summary = prepare_table(
        folder,
        "t.csv",
        "path,text\na.wav,one\nb.wav,2 & 3\nc.wav,...\nd.wav,broken\ne.wav,hello, world\n"
        f"a,once more\n,nameless\nlost.wav,lost\n{'x' * 300},long\nshort\n",
    )
    assert texts(summary) == {"a": "ONE"}
    fault = "it has {} columns where the table has 2"
    assert set(summary.problems) == {
        Problem("b.wav (line 3)", Reason.FOREIGN, "'2' '&' '3' in: 2 & 3"),
        Problem("c.wav (line 4)", Reason.EMPTY),
        Problem("d.wav (line 5)", Reason.BAD_AUDIO, "is not audio in a format that can be read"),
        Problem("line 6", Reason.BAD_ROW, fault.format(3)),
        Problem("a (line 7)", Reason.DUPLICATE, "has the same utterance id as a.wav (line 2)"),
        Problem("line 8", Reason.BAD_ROW, "it names no audio"),
        Problem("lost.wav (line 9)", Reason.NO_AUDIO),
        Problem(f"{'x' * 300} (line 10)", Reason.NO_AUDIO),
        Problem("line 11", Reason.BAD_ROW, fault.format(1)),
        Problem("e.wav", Reason.NO_TRANSCRIPT),
        Problem("unlisted.wav", Reason.NO_TRANSCRIPT),
    }


def test_which_table(tmp_path, monkeypatch):
    folder = tmp_path / "set"
    put_speech(folder, "clips/a.wav", "clips/b.wav")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AsrError, match=r"neither audio with \.txt files .* nor a table"):
        prepare("set", "out")
    (folder / "train.tsv").write_text("path\tsentence\na.wav\tone\n")
    assert prepare("set", "set").name == "train"
    # What an earlier time left out, written into the same folder, is no table of transcripts.
    assert (folder / "train.skipped.tsv").exists()
    assert prepare("set", "set").name == "train"
    (folder / "dev.tsv").write_text("path\tsentence\nb.wav\ttwo\n")
    with pytest.raises(AsrError, match=r"several tables; .* --table: dev\.tsv, train\.tsv"):
        prepare("set", "out")
    for table in ("dev.tsv", "set/dev.tsv", folder / "dev.tsv"):
        summary = prepare("set", "out", table=table)
        assert texts(summary) == {"b": "TWO"}
        assert summary.problems == ()
        assert summary.notes == (f"audio files in {folder} that dev.tsv does not name: 1",)
    with pytest.raises(AsrError, match=r"the table test\.tsv is neither in"):
        prepare("set", "out", table="test.tsv")
    (folder / "clips" / "a.txt").write_text("one")
    assert prepare("set", "out").notes == (
        "not used, because there are .txt files: dev.tsv, train.tsv (--table)",
    )


def test_a_table_elsewhere_with_absolute_paths(tmp_path):
    put_speech(tmp_path / "set", "deep/a.wav")
    table = tmp_path / "lists" / "all.csv"
    table.parent.mkdir()
    table.write_text(f"path,text\n{tmp_path / 'set' / 'deep' / 'a.wav'},one\n")
    assert texts(prepare(tmp_path / "set", tmp_path / "out", table=table)) == {"deep/a": "ONE"}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "is empty"),
        (",,,\n,,,\n", "is empty"),
        ("only one column\nand no delimiter\n", "has no columns; put a tab"),
        ("path,label\na.wav,one\n", "has no column of text .* path, label: call the one of text"),
        ("recording,sentence\na.wav,one\n", "has no column of audio .*'path'"),
        ("path,text\n", "nothing of t can be used"),
        ("path,text\nb.wav,one\n", r"nothing of t .* is b\.wav \(line 2\): transcript without"),
    ],
)
def test_a_table_that_can_not_be_used(tmp_path, content, fault):
    put_speech(tmp_path / "set", "a.wav")
    (tmp_path / "set" / "t.csv").write_text(content)
    with pytest.raises(AsrError, match=fault):
        prepare(tmp_path / "set", tmp_path / "out")


def test_what_is_no_folder(tmp_path):
    with pytest.raises(AsrError, match="is not a folder"):
        prepare(SPEECH[0], tmp_path)


@needs_shared
def test_real_common_voice(tmp_path):
    summary = prepare(SHARED, tmp_path, table="train.tsv")
    assert (summary.utterances, summary.problems) == (3453, ())
    assert summary.hours == pytest.approx(4.24, abs=0.01)
