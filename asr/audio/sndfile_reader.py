"""Reading audio by libsndfile: WAV, FLAC, MP3, Ogg, AIFF and others, whole files or parts."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from asr.audio.layout import Layout, Part

Block = tuple[int, NDArray[np.float32]]
"""A sample rate, and samples of shape (samples, channels)."""

_BLOCK = 1 << 19  # samples that are read at a time, of all channels together
_SMALL_BLOCK = 1024  # samples at a time near damage
_UNKNOWN = 2**63 - 1  # samples, by libsndfile, of a FLAC file that was written to a pipe
_SLACK = 3 * 1152  # samples by which libsndfile may estimate an MP3 too short
_QUIET = (b"RIFF", b"RIFX", b"RF64", b"fLaC", b"OggS", b"FORM")  # whose decoders print nothing


class SndfileReader:
    """A file that libsndfile reads from its beginning to its end.

    Args:
        path: a regular file.
        layout: of the file.

    Raises:
        soundfile.LibsndfileError: libsndfile can't read the file.
        OSError: likewise.
    """

    def __init__(self, path: str | Path, layout: Layout) -> None:
        self._path = path
        self._layout = layout
        self.damaged = False  # whether decoding ended before the end
        self._parts: tuple[Part | None, ...] = layout.parts or (None,)
        with self._open(self._parts[0]) as file:
            self.channels: int = file.channels
            self.rate: int = file.samplerate
            self.format: str = file.format
            self._frames: int = file.frames

    @property
    def misses_audio(self) -> bool:
        """Whether libsndfile would end before the last MPEG frame."""
        return self._layout.samples > self._frames + _SLACK

    def seconds(self) -> float:
        """The length of the audio, by decoding where no header is true."""
        layout = self._layout
        if layout.seconds is not None:
            return layout.seconds
        if layout.cut_off and self.format == "OGG":
            return self._count()
        seconds = 0.0
        for part in self._parts:
            with self._open(part) as file:
                if file.frames == _UNKNOWN or (file.format == "FLAC" and not _has_end(file)):
                    return self._count()
                seconds += file.frames / file.samplerate
        return seconds

    def blocks(self) -> Iterator[Block]:
        """The audio in blocks of bounded size."""
        for part in self._parts:
            yield from self._blocks(part)

    def _blocks(self, part: Part | None) -> Iterator[Block]:
        read = 0
        with self._open(part) as file:
            rate, frames, promised = file.samplerate, max(1, _BLOCK // file.channels), file.frames
            try:
                while len(block := _read(file, frames)):
                    yield rate, block
                    read += len(block)
            except (soundfile.LibsndfileError, MemoryError):
                self.damaged = True
        if self.damaged:
            yield from self._salvage(part, read)
        elif file.format == "FLAC" and promised != _UNKNOWN and read < promised:
            self.damaged = True

    def _salvage(self, part: Part | None, read: int) -> Iterator[Block]:
        """What lies between the last whole block and the damage."""
        position = 0
        with self._open(part) as file, suppress(soundfile.LibsndfileError, MemoryError):
            while len(block := _read(file, _SMALL_BLOCK)):
                if position + len(block) > read:
                    yield file.samplerate, block[max(0, read - position) :]
                position += len(block)

    def _count(self) -> float:
        return sum(len(block) / rate for rate, block in self.blocks())

    def _open(self, part: Part | None) -> soundfile.SoundFile:
        with _muted(self._path):
            if part is None:  # soundfile itself encodes only names that are Unicode
                return _ForwardFile(os.fsencode(self._path))
            return _ForwardFile(_PartOfFile(self._path, part))


def _read(file: soundfile.SoundFile, frames: int) -> NDArray[np.float32]:
    with _muted() if file.format == "MP3" else nullcontext():
        block: NDArray[np.float32] = file.read(frames, dtype="float32", always_2d=True)
    return block


def _has_end(file: soundfile.SoundFile) -> bool:
    """Whether the last sample can be decoded."""
    try:
        soundfile.SoundFile.seek(file, file.frames - 1)
        return len(_read(file, 1)) == 1
    except soundfile.LibsndfileError:
        return False


class _ForwardFile(soundfile.SoundFile):  # type: ignore[misc]
    """A file without seeking.

    After each block, soundfile would seek to where libsndfile is anyway, which fails in FLAC of
    unknown length and disturbs the decoding of MP3.
    """

    def seekable(self) -> bool:
        return False


class _PartOfFile(io.RawIOBase):
    """A part of a file, with its header, as a file."""

    def __init__(self, path: str | Path, part: Part) -> None:
        self._file = open(path, "rb")  # noqa: SIM115  (closed by close)
        self._part = part
        self._length = len(part.header) + part.stop - part.start
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._length}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, size: int = -1) -> bytes:
        header = self._part.header
        left = max(0, self._length - self._position)
        size = left if size < 0 else min(size, left)
        data = header[self._position : self._position + size]
        if len(data) < size:
            behind = self._position + len(data) - len(header)
            self._file.seek(self._part.start + behind)
            data += self._file.read(size - len(data))
        self._position += len(data)
        return data

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


@contextmanager
def _muted(path: str | Path | None = None) -> Iterator[None]:
    """Keeps what the MP3 decoder prints about damage, without a file's name, from the terminal."""
    if path is not None:
        with open(path, "rb") as file:
            if file.read(4) in _QUIET:
                yield
                return
    try:
        saved = os.dup(2)
    except OSError:  # standard error is closed
        yield
        return
    with suppress(OSError, ValueError):
        sys.stderr.flush()
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
