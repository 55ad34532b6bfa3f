"""Reading audio by PyAV (FFmpeg): MP4, M4A, MOV, Matroska, WebM, AVI, WMA, AMR, Speex and others.

The audio track is decoded, video is ignored. Only the demuxers below are allowed: FFmpeg's
playlists and scripts would open other files and addresses.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import av
import numpy as np
from numpy.typing import NDArray

from asr.audio.sndfile_reader import Block

if TYPE_CHECKING:
    from av.container import InputContainer

_DEMUXERS = (
    *("aac", "ac3", "aiff", "amr", "amrnb", "amrwb", "ape", "asf", "asf_o", "au", "avi", "caf"),
    *("dsf", "dss", "dts", "eac3", "flac", "gsm", "iff", "loas", "matroska,webm"),
    *("mov,mp4,m4a,3gp,3g2,mj2", "mp3", "mpc", "mpc8", "mpeg", "mpegts", "ogg", "rm", "tak", "tta"),
    *("voc", "w64", "wav", "wv", "xwma"),
)
_BLOCK = 1 << 19  # samples that are collected, of all channels together
# Whose durations stand in a header; FFmpeg estimates those of others.
_MP4 = "mov,mp4,m4a,3gp,3g2,mj2"
_WITH_DURATION = (_MP4, "matroska,webm", "avi", "asf")
_PADDED = 2048  # samples that an AAC encoder may add at the end, which MP4's track length takes off
_MOST_ERRORS = 1000  # packets that can't be decoded, before reading is given up


class NoAudio(Exception):
    """A file is no container, or has no track of audio."""


class ContainerReader:
    """A file that FFmpeg reads from its beginning to its end.

    Raises:
        NoAudio: FFmpeg can't read the file, or it has no audio track.
        OSError: the file can't be opened.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = path
        self.damaged = False  # whether decoding ended before the end
        self.promised: float | None = None  # seconds by the header
        with open(path, "rb") as file, _open(file) as container:
            stream = _audio_of(container)
            self.channels: int = stream.codec_context.channels
            self.rate: int = stream.codec_context.sample_rate
            self._length: float | None = None  # seconds of an MP4's track
            if container.format.name == _MP4 and stream.duration:
                self._length = float(stream.duration * stream.time_base)
            if container.format.name in _WITH_DURATION and container.duration:
                self.promised = container.duration / av.time_base

    def seconds(self) -> float:
        """The length of the audio, by decoding."""
        return sum(len(block) / rate for rate, block in self.blocks())

    def blocks(self) -> Iterator[Block]:
        """The audio in blocks of bounded size."""
        held: list[NDArray[np.float32]] = []
        size, rate, seconds = 0, 0, 0.0
        for frame_rate, samples in self._frames():
            changed = held and (frame_rate != rate or samples.shape[1] != held[0].shape[1])
            if changed or size >= _BLOCK:
                yield rate, np.concatenate(held)
                held, size = [], 0
            rate = frame_rate
            held.append(samples)
            size += samples.size
            seconds += len(samples) / rate
        if held:
            last = np.concatenate(held)
            padding = 0 if self._length is None else round((seconds - self._length) * rate)
            yield rate, last[: -padding or None] if 0 < padding <= _PADDED else last

    def _frames(self) -> Iterator[Block]:
        with open(self._path, "rb") as file, _open(file) as container:
            stream = _audio_of(container)
            errors = 0
            packets: Iterator[Any] = container.demux(stream)
            while True:
                try:
                    packet = next(packets, None)
                except (av.error.FFmpegError, OSError):
                    self.damaged = True
                    return
                if packet is None:
                    return
                try:
                    for frame in packet.decode():
                        yield frame.sample_rate, _to_float(frame)
                except (av.error.FFmpegError, OSError):
                    errors += 1
                    if errors >= _MOST_ERRORS:
                        self.damaged = True
                        return


def _open(file: IO[bytes]) -> InputContainer:
    """Opens a file object: without a name, FFmpeg judges by the content alone."""
    try:
        options = {"format_whitelist": ",".join(_DEMUXERS)}
        return av.open(file, "r", options=options, metadata_errors="replace")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise NoAudio(str(error)) from error


def _audio_of(container: InputContainer) -> Any:
    """The track that players choose by default."""
    stream: Any = container.streams.best("audio")
    codec = None if stream is None else stream.codec_context  # None without a decoder
    if codec is None or not codec.sample_rate:
        raise NoAudio("the file has no audio track that can be decoded")
    return stream


def _to_float(frame: Any) -> NDArray[np.float32]:
    """The samples of a frame, shape (samples, channels), full scale at 1."""
    channels, name = len(frame.layout.channels), frame.format.name
    data = frame.to_ndarray()
    signal: NDArray[Any] = data.T if frame.format.is_planar else data.reshape(-1, channels)
    if signal.dtype.kind == "f":
        return np.ascontiguousarray(signal, np.float32)
    offset, full = (128.0, 128.0) if name.startswith("u8") else (0.0, 2.0 ** (_bits(signal) - 1))
    scaled: NDArray[np.float32] = ((signal.astype(np.float64) - offset) / full).astype(np.float32)
    return scaled


def _bits(signal: NDArray[Any]) -> int:
    return 8 * signal.dtype.itemsize
