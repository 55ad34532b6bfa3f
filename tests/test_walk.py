"""Folders with links, loops of links and macOS's ._ files."""

import shutil

import pytest

from asr.corpora.folder import prepare
from asr.corpora.librispeech import read_subset
from asr.corpora.manifest import read_manifest
from asr.errors import AsrError
from asr.runtime.files import walk_files
from asr.scoring.transcripts import read_transcripts


@pytest.fixture
def corpus(tmp_path):
    """A chapter behind a link, another one twice, loops, and files of macOS."""
    real = tmp_path / "elsewhere" / "84" / "1"
    real.mkdir(parents=True)
    (real / "84-1.trans.txt").write_text("84-1-0000 ONE\n")
    (real / "._84-1.trans.txt").write_bytes(b"\0\5\26\7Mac OS X")
    top = tmp_path / "corpus"
    here = top / "85" / "2"
    here.mkdir(parents=True)
    (here / "85-2.trans.txt").write_text("85-2-0000 TWO\n")
    (top / "84").symlink_to(real.parent)
    (top / "again").symlink_to(top / "85")
    (here / "loop").symlink_to(top)
    (here / "self").symlink_to(here)
    (top / "nowhere").symlink_to(tmp_path / "missing")
    return top


def test_linked_folders_are_searched_once(corpus):
    found = [str(path.relative_to(corpus)) for path in walk_files(corpus)]
    assert sorted(found) == ["84/1/84-1.trans.txt", "85/2/85-2.trans.txt", "nowhere"]


def test_transcripts_in_linked_folders_are_read(corpus):
    found = {u.utterance_id: u.text for u in read_transcripts(corpus)}
    assert found == {"84-1-0000": "ONE", "85-2-0000": "TWO"}
    _, problems = read_subset(corpus)
    named = sorted(str(problem) for problem in problems)
    assert named == [
        "84-1-0000 (84/1/84-1.trans.txt, line 1): transcript without audio",
        "85-2-0000 (85/2/85-2.trans.txt, line 1): transcript without audio",
    ]


def test_files_of_macos_are_no_tables(tmp_path):
    (tmp_path / "._train.tsv").write_bytes(b"\0\5\26\7Mac OS X")
    (tmp_path / "train.tsv").write_text("path\tsentence\nmissing.wav\tone\n")
    with pytest.raises(AsrError, match=r"nothing of train can be used.* missing.wav \(line 2\)"):
        prepare(tmp_path, tmp_path / "out")


def test_a_folder_of_speech_behind_links_is_prepared(tmp_path, librivox):
    real = tmp_path / "elsewhere"
    real.mkdir()
    shutil.copy(librivox[1].audio_filepath, real / "talk.wav")
    (real / "talk.txt").write_text(librivox[1].text)
    (real / "._talk.wav").write_bytes(b"\0\5\26\7Mac OS X")
    (tmp_path / "top").mkdir()
    (tmp_path / "top" / "linked").symlink_to(real)
    (real / "back").symlink_to(tmp_path / "top")
    summary = prepare(tmp_path / "top", tmp_path / "out")
    (utterance,) = read_manifest(summary.manifest)
    assert (utterance.utterance_id, utterance.text) == ("linked/talk", librivox[1].text)
    assert summary.problems == ()
