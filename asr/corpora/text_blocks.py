"""Blocks of normalised text from files, compressed files, manifests or standard input.

Lines already in normal form (:mod:`asr.text`), as LibriSpeech's are, pass unchanged, which keeps
millions of lines cheap.
"""

from __future__ import annotations

import gzip
import lzma
import re
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from asr.corpora.manifest import read_manifest
from asr.errors import AsrError
from asr.runtime.files import why_unreadable
from asr.runtime.progress import bar
from asr.text import ALPHABET, normalise

STDIN = Path("-")

_BLOCK = 1 << 23  # bytes read at a time
_MEGABYTE = 1 << 20
_PLAIN = f"{ALPHABET} \n".encode()
_BOM = b"\xef\xbb\xbf"
_LONE_APOSTROPHE = re.compile(rb"'(?<![A-Z']')'*(?![A-Z'])")
_NORMAL_LINE = re.compile(r"(?:'*+[A-Z][A-Z']*+ ?)*+")


def read_blocks(paths: Sequence[Path], description: str) -> Iterator[str]:
    """Yields the text of files, one sentence a line, in blocks of whole lines in normal form.

    Args:
        paths: text files, plain or compressed (.gz, .xz), manifests (.jsonl), or ``-`` for
            standard input.
        description: of the progress bar.

    Raises:
        AsrError: a file can't be read or is not UTF-8 text.
    """
    sizes = [path.stat().st_size if path.is_file() else 0 for path in paths]
    total = None if STDIN in paths else sum(sizes) // _MEGABYTE
    with bar() as progress:
        task = progress.add_task(f"{description}, MB", total=total)
        done = 0
        for path, size in zip(paths, sizes, strict=True):
            if path.suffix == ".jsonl":
                texts = (utterance.text for utterance in read_manifest(path))
                yield "".join(f"{normalise(text)}\n" for text in texts)
            else:
                for position, block in _read_raw(path):
                    yield _normal_form(block, path)
                    progress.update(task, completed=(done + position) // _MEGABYTE)
            done += size


def _read_raw(path: Path) -> Iterator[tuple[int, bytes]]:
    """Whole lines, and how far in the file, compressed as it may be, their reading has come."""
    try:
        with ExitStack() as stack:
            raw = sys.stdin.buffer if path == STDIN else stack.enter_context(open(path, "rb"))
            file: IO[bytes] | gzip.GzipFile | lzma.LZMAFile = raw
            if path.suffix == ".gz":
                file = stack.enter_context(gzip.GzipFile(fileobj=raw))
            elif path.suffix == ".xz":
                file = stack.enter_context(lzma.LZMAFile(raw))
            rest = b""
            first = True
            while block := file.read(_BLOCK):
                if first:
                    block = block.removeprefix(_BOM)
                    first = False
                lines, newline, tail = block.rpartition(b"\n")
                if newline:
                    yield 0 if path == STDIN else raw.tell(), rest + lines + newline
                    rest = tail
                else:
                    rest += block
            if rest:
                yield 0, rest + b"\n"
    except (EOFError, lzma.LZMAError, gzip.BadGzipFile, zlib.error) as error:
        raise AsrError(f"the text {path} is damaged or cut short; fetch it again") from error
    except OSError as error:
        raise AsrError(f"the text {path} {why_unreadable(error)}") from error


def _normal_form(block: bytes, path: Path) -> str:
    if not block.translate(None, _PLAIN) and not _LONE_APOSTROPHE.search(block):
        return block.decode("ascii")
    try:
        text = block.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise AsrError(f"the text {path} is not UTF-8 text; save it as UTF-8")
    lines = text.removesuffix("\n").split("\n")
    return "".join(
        f"{line if _NORMAL_LINE.fullmatch(line) else normalise(line)}\n" for line in lines
    )
