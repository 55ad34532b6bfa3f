"""The layout of an audio file: which ranges of its bytes hold audio, and what reads them.

Lengths in headers are promises; the bytes of the file decide. Ordinary files are left to libsndfile
as they are.
"""

from __future__ import annotations

import functools
import mmap
import os
import struct
from dataclasses import dataclass
from pathlib import Path

from asr.audio.container_end import is_cut_off
from asr.audio.iff_chunks import AudioExtent, scan_aiff, scan_wav
from asr.audio.mpeg_frames import scan_mpeg
from asr.audio.ogg_pages import scan_ogg

_FLAC_STARTS = (b"fLaC\x00\x00\x00\x22", b"fLaC\x80\x00\x00\x22")  # with the head of STREAMINFO
_MOST_PARTS = 10_000
_ROUNDED = 2  # frames that encoders count differently


@dataclass(frozen=True)
class Part:
    """A range of bytes that is an audio file of its own, perhaps with another header."""

    start: int
    stop: int
    header: bytes = b""  # stands before the bytes


@dataclass(frozen=True)
class Layout:
    """How a file is to be read."""

    parts: tuple[Part, ...] = ()  # by libsndfile; none for the whole file as it is
    by_container: bool = False  # by PyAV, since libsndfile would miss audio
    samples: int = 0  # of MPEG frames that were counted, padding included
    seconds: float | None = None  # that were counted; None to ask libsndfile
    cut_off: bool = False  # whether bytes are missing at the end
    promised: float | None = None  # seconds by the header of a file that is cut off
    without_length: bool = False  # whether a header holds no true length


def examine(path: str | Path) -> Layout:
    """Reads the layout of a regular file.

    Raises:
        OSError: the file can't be read.
    """
    status = os.stat(path)
    return _examine(os.fspath(path), status.st_size, status.st_mtime_ns, status.st_ino)


@functools.lru_cache(maxsize=1024)
def _examine(path: str, size: int, modified: int, inode: int) -> Layout:
    with open(path, "rb") as file:
        if size == 0:
            return Layout()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                return _layout(data)  # type: ignore[arg-type]
            except (struct.error, ArithmeticError, ValueError):  # a damaged header
                return Layout()


def _layout(data: bytes) -> Layout:
    magic = data[:4]
    if magic in (b"RIFF", b"RIFX", b"RF64") and data[8:12] == b"WAVE":
        return _of_chunks(data)
    if magic == b"FORM" and data[8:12] in (b"AIFF", b"AIFC"):
        return _of_chunks(data)
    if magic == b"OggS":
        return _of_ogg(data)
    if magic == b"fLaC":
        return _of_flac(data)
    if magic[:3] == b"ID3" or magic[:1] == b"\xff":
        return _of_mpeg(data)
    return Layout(cut_off=is_cut_off(data))


def _of_chunks(data: bytes) -> Layout:
    extents: list[AudioExtent] = []
    start = 0
    while start < len(data) and len(extents) < _MOST_PARTS:
        scan = scan_aiff if data[start : start + 4] == b"FORM" else scan_wav
        extent = scan(data, start)
        if extent is None:
            break
        extents.append(extent)
        start = extent.following
    if not extents:
        return Layout()
    unknown = any(e.promised is None and e.stop > e.start for e in extents)
    return Layout(
        parts=tuple(Part(e.start, e.stop, e.header) for e in extents)
        if unknown or len(extents) > 1
        else (),
        cut_off=extents[-1].cut_off,
        promised=extents[-1].promised if len(extents) == 1 else None,
        without_length=unknown,
    )


def _of_ogg(data: bytes) -> Layout:
    links = scan_ogg(data)
    if not links:
        return Layout()
    parts = tuple(Part(link.start, link.stop) for link in links) if len(links) > 1 else ()
    return Layout(
        parts=parts[:_MOST_PARTS],
        by_container=any(link.streams > 1 for link in links),
        cut_off=not links[-1].complete,
    )


def _of_flac(data: bytes) -> Layout:
    starts = [0]
    for magic in _FLAC_STARTS:
        position = 0
        while (position := data.find(magic, position + 1)) > 0:
            starts.append(position)
    if len(starts) == 1:
        return Layout()
    starts.sort()
    stops = [*starts[1:], len(data)]
    return Layout(tuple(map(Part, starts, stops))[:_MOST_PARTS])


def _of_mpeg(data: bytes) -> Layout:
    scan = scan_mpeg(data)
    if scan is None or scan.frames == 0:
        return Layout()
    missing = scan.promised is not None and scan.frames < scan.promised - _ROUNDED
    return Layout(
        by_container=scan.streams > 1,
        samples=scan.samples,
        # libsndfile knows the delay of the encoder from a true tag, and takes it off.
        seconds=None if scan.promised == scan.frames else scan.seconds,
        cut_off=scan.cut_off if scan.promised is None else missing,
        promised=scan.seconds * scan.promised / scan.frames if scan.promised else None,
    )
