import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from asr.corpora import librispeech
from asr.corpora.download import ARCHIVES, Archive, download_archive
from asr.errors import AsrError

SPEECH = sorted((Path(__file__).parent / "data" / "librivox").glob("*.wav"))
NAME = "dev-tiny"


class Server(ThreadingHTTPServer):
    """Serves one archive, as badly as it is told to."""

    def __init__(self, content):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = content
        self.drop_after = []  # bytes, for each of the first requests
        self.ranges = True
        self.pause = 0.0  # seconds after each piece
        self.asked = []  # the Range header of each request, or None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/resources"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, header = self.server, self.headers.get("Range")
        server.asked.append(header)
        if self.path != f"/resources/12/{NAME}.tar.gz":
            self.send_error(404)
            return
        size = len(server.content)
        start = 0
        if header and server.ranges:
            start = int(header.removeprefix("bytes=").removesuffix("-"))
            if start >= size:
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(size - start))
        self.end_headers()
        stop = start + server.drop_after.pop(0) if server.drop_after else size
        for at in range(start, min(stop, size), 1 << 14):
            try:
                self.wfile.write(server.content[at : min(at + (1 << 14), stop)])
            except ConnectionError:  # the other side was killed
                return
            time.sleep(server.pause)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A tar.gz as LibriSpeech's, and its path."""
    top = tmp_path_factory.mktemp("original") / "LibriSpeech"
    chapter = top / NAME / "84" / "121123"
    chapter.mkdir(parents=True)
    (top / "LICENSE.TXT").write_text("CC BY 4.0\n")
    lines = []
    for number, path in enumerate(SPEECH):
        shutil.copy(path, chapter / f"84-121123-{number:04}.wav")
        lines.append(f"84-121123-{number:04} SOME WORDS\n")
    (chapter / "84-121123.trans.txt").write_text("".join(lines))
    path = top.parent / "packed.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(top, "LibriSpeech")
    return path


@pytest.fixture
def server(packed, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server(packed.read_bytes()) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        yield server
        server.shutdown()


@pytest.fixture
def archive(packed):
    return describe(packed.read_bytes())


def describe(content):
    return Archive(NAME, 12, len(SPEECH), len(content), hashlib.md5(content).hexdigest())


def assert_complete(folder):
    chapter = folder / NAME / "84" / "121123"
    unpacked = sorted(chapter.glob("*.wav"))
    assert [path.read_bytes() for path in unpacked] == [path.read_bytes() for path in SPEECH]
    assert sorted(path.name for path in folder.iterdir()) == ["LICENSE.TXT", NAME]


def test_the_table_of_archives():
    assert len(ARCHIVES) == 9
    assert ARCHIVES["test-clean"].file == "12/test-clean.tar.gz"
    assert ARCHIVES["train-clean-5"].file == "31/train-clean-5.tar.gz"
    assert all(len(archive.md5) == 32 and archive.size > 1e8 for archive in ARCHIVES.values())


def test_what_is_complete_is_not_fetched_again(tmp_path, server, archive):
    assert download_archive(archive, tmp_path, server.url) == tmp_path / NAME
    assert_complete(tmp_path)
    download_archive(archive, tmp_path, server.url)
    assert server.asked == [None]


def test_goes_on_where_the_server_broke_off(tmp_path, server, archive):
    server.drop_after = [200_000, 1, 150_000]
    download_archive(archive, tmp_path, server.url)
    assert server.asked == [None, "bytes=200000-", "bytes=200001-", "bytes=350001-"]
    assert_complete(tmp_path)


def test_starts_over_if_the_server_knows_no_ranges(tmp_path, server, archive):
    server.drop_after = [200_000]
    server.ranges = False
    download_archive(archive, tmp_path, server.url)
    assert server.asked == [None, "bytes=200000-"]
    assert_complete(tmp_path)


def test_a_download_that_is_too_long_is_thrown_away(tmp_path, server, archive):
    part = tmp_path / f"{NAME}.tar.gz.part"
    part.write_bytes(server.content + b"more")
    with pytest.raises(AsrError, match="is not the archive as published"):
        download_archive(archive, tmp_path, server.url)
    download_archive(archive, tmp_path, server.url)
    assert_complete(tmp_path)


def test_a_wrong_checksum_removes_the_file(tmp_path, server, archive):
    good = server.content
    server.content = good[:-9] + bytes(9)
    with pytest.raises(AsrError, match=r"dev-tiny\.tar\.gz\.part is not the archive as published"):
        download_archive(archive, tmp_path, server.url)
    assert list(tmp_path.iterdir()) == []
    server.content = good
    download_archive(archive, tmp_path, server.url)
    assert_complete(tmp_path)


def test_a_file_of_another_size_is_not_even_fetched(tmp_path, server, archive):
    server.content = b"<html>Please log in to this network.</html>"
    with pytest.raises(AsrError, match=r"is a file of 43 bytes, .*; try a mirror"):
        download_archive(archive, tmp_path, server.url)


def test_a_start_that_lies_beyond_the_end_is_thrown_away(tmp_path, server, archive):
    (tmp_path / f"{NAME}.tar.gz.part").write_bytes(server.content[:1000])
    server.content = server.content[:500]
    with pytest.raises(AsrError, match="is a file of 500 bytes"):
        download_archive(archive, tmp_path, server.url)
    assert server.asked == ["bytes=1000-", None]


def test_what_can_not_be_had_is_said(tmp_path, server, archive):
    with pytest.raises(AsrError, match=r"the server answers 404 Not Found; try a mirror"):
        download_archive(archive, tmp_path, f"{server.url}/elsewhere")
    for address in ("openslr", "http://[half", "http://host:port"):
        with pytest.raises(AsrError, match="is not an address to download from"):
            download_archive(archive, tmp_path, address)
    occupied = tmp_path / "occupied"
    occupied.write_text("a file")
    with pytest.raises(AsrError, match="can't be made"):
        download_archive(archive, occupied, server.url)
    huge = Archive(NAME, 12, 1, 10**18, archive.md5)
    with pytest.raises(AsrError, match="make room"):
        download_archive(huge, tmp_path, server.url)


def test_an_archive_that_lies_there_is_used_and_kept(tmp_path, server, archive):
    given = tmp_path / f"{NAME}.tar.gz"
    given.write_bytes(b"half a download of someone else's")
    with pytest.raises(AsrError, match="remove it and try again"):
        download_archive(archive, tmp_path, server.url)
    given.write_bytes(server.content)
    download_archive(archive, tmp_path, server.url)
    assert given.exists()
    assert (tmp_path / NAME).is_dir()
    assert server.asked == []


def test_an_archive_of_something_else(tmp_path, server):
    server.content = b"no archive at all"
    with pytest.raises(AsrError, match="can't be unpacked"):
        download_archive(describe(server.content), tmp_path, server.url)


def test_prepares_what_it_downloads(tmp_path, server, archive, monkeypatch):
    monkeypatch.setitem(ARCHIVES, NAME, archive)
    root, output = tmp_path / "corpus", tmp_path / "manifests"
    [summary] = librispeech.prepare(root, [NAME], output, download=True, base_url=server.url)
    assert_complete(root)
    assert (summary.utterances, summary.notes) == (len(SPEECH), ())
    with pytest.raises(AsrError, match="name the subsets to download with --subset: dev-clean,"):
        librispeech.prepare(root, None, output, download=True, base_url=server.url)
    with pytest.raises(AsrError, match="there is no subset dev-cleen to download"):
        librispeech.prepare(root, ["dev-cleen"], output, download=True, base_url=server.url)


def kill_when(condition, archive, folder, url):
    """Downloads in a process of its own and kills that as soon as ``condition`` holds."""
    code = (
        "import sys; from pathlib import Path\n"
        "from asr.corpora.download import Archive, download_archive\n"
        f"download_archive({archive!r}, Path(sys.argv[1]), sys.argv[2])\n"
    )
    path = os.pathsep.join([str(Path(__file__).resolve().parents[1]), *sys.path])
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder), url], env={**os.environ, "PYTHONPATH": path}
    )
    while not condition():
        assert process.poll() is None, "it was done before it could be killed"
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def test_goes_on_after_a_kill_in_the_middle_of_downloading(tmp_path, server, archive):
    part = tmp_path / f"{NAME}.tar.gz.part"
    server.pause = 0.02
    kill_when(
        lambda: part.exists() and part.stat().st_size > 100_000, archive, tmp_path, server.url
    )
    server.pause = 0.0
    have = part.stat().st_size
    assert 100_000 < have < archive.size
    download_archive(archive, tmp_path, server.url)
    assert server.asked == [None, f"bytes={have}-"]
    assert_complete(tmp_path)


def test_unpacks_anew_after_a_kill_in_the_middle_of_unpacking(tmp_path, server):
    big = tmp_path / "big.tar.gz"
    with tarfile.open(big, "w:gz", compresslevel=1) as tar:
        for copy in range(80):
            for path in SPEECH:
                tar.add(path, f"LibriSpeech/{NAME}/84/{copy}/{path.name}")
    server.content = big.read_bytes()
    archive = describe(server.content)
    folder = tmp_path / "corpus"
    unpacking = folder / f".{NAME}.unpacking"
    kill_when(unpacking.exists, archive, folder, server.url)
    assert unpacking.exists()
    assert not (folder / NAME).exists()
    download_archive(archive, folder, server.url)
    assert len(server.asked) == 1  # all of it had come
    assert len(list((folder / NAME).rglob("*.wav"))) == 80 * len(SPEECH)
    assert [path.name for path in folder.iterdir()] == [NAME]
