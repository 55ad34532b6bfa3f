"""Audio files to 16 kHz mono float samples, at once or piece by piece.

libsndfile reads what it can (:mod:`asr.audio.sndfile_reader`), PyAV the rest
(:mod:`asr.audio.container_reader`); the bytes of a file decide where its audio ends
(:mod:`asr.audio.layout`).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from asr.audio.layout import Layout, examine
from asr.audio.media_files import EXTENSIONS, UNREADABLE, find_audio
from asr.audio.mixdown import Mixdown
from asr.audio.notices import IncompleteAudio, cut_off, without_length
from asr.audio.resampling import resample
from asr.audio.signal import SAMPLE_RATE, Samples
from asr.audio.sndfile_reader import SndfileReader
from asr.errors import AsrError
from asr.transcript import Notice

if TYPE_CHECKING:
    from asr.audio.container_reader import ContainerReader

__all__ = [
    "EXTENSIONS",
    "SAMPLE_RATE",
    "UNREADABLE",
    "IncompleteAudio",
    "Samples",
    "audio_duration",
    "count_channels",
    "find_audio",
    "load_audio",
    "read_pieces",
    "to_16k_mono",
]

_LOWEST_RATE = 2_000  # Hz; below, no speech is left


def load_audio(
    path: str | Path, channel: int | None = None, notices: list[Notice] | None = None
) -> Samples:
    """Reads an audio file.

    The sample rate is changed by soxr's high-quality filter.

    Args:
        path: the file.
        channel: counted from 1; by default all channels are mixed.
        notices: receives what is to be said of the file, such as that its end is missing.

    Returns:
        Samples at 16 kHz, shape (samples,), nominally within [-1, 1], at least one of them.

    Raises:
        AsrError: the file is missing, is no audio, lacks the channel, or holds no samples or not
            only finite ones.
        IncompleteAudio: its end is missing, and ``notices`` is None.
    """
    return np.concatenate(list(read_pieces(path, channel, notices)))


def read_pieces(
    path: str | Path, channel: int | None = None, notices: list[Notice] | None = None
) -> Iterator[Samples]:
    """As :func:`load_audio`, in pieces of bounded size, however long the file is.

    Raises:
        AsrError: as :func:`load_audio`, as soon as it shows; IncompleteAudio at the end.
    """
    with _regular(path) as file:
        reader, layout = _open(file, path)
        _check_channel(reader, path, channel)
        mixdown = Mixdown(path, channel)
        pieces = resample((rate, mixdown(block)) for rate, block in reader.blocks())
        samples = 0
        for piece in pieces:
            samples += len(piece)
            if len(piece):
                yield piece
    incomplete = layout.cut_off or reader.damaged
    if samples == 0:
        raise AsrError(
            f"{path} is damaged: its audio can't be decoded"
            if incomplete
            else f"{path} holds no audio samples"
        )
    if incomplete:
        promised = layout.promised
        if promised is None and not isinstance(reader, SndfileReader):
            promised = reader.promised
        notice = cut_off(path, samples / SAMPLE_RATE, promised)
        if notices is None:
            raise IncompleteAudio(notice.text)
        notices.append(notice)
    elif layout.without_length and notices is not None:
        notices.append(without_length(path))


def to_16k_mono(signal: NDArray[np.float32], rate: int, name: str | Path = "the signal") -> Samples:
    """Mixes the channels of ``signal``, shape (samples, channels), and brings it to 16 kHz."""
    return np.concatenate(list(resample([(rate, Mixdown(name, None)(signal))])))


def audio_duration(path: str | Path) -> float:
    """The length of the audio of a file in seconds, which its bytes decide.

    Raises:
        AsrError: the file is missing, no audio, or holds no samples.
    """
    if _is_stream(path):
        raise AsrError(f"{path} is a pipe or a device, which can be read only once; save it first")
    reader, _ = _open(path, path)
    seconds = reader.seconds()
    if seconds <= 0.0:
        raise AsrError(
            f"{path} is damaged: its audio can't be decoded"
            if reader.damaged
            else f"{path} holds no audio samples"
        )
    return seconds


def count_channels(path: str | Path) -> int:
    """The number of channels of an audio file.

    Raises:
        AsrError: the file is missing or no audio.
    """
    return _open(path, path)[0].channels


def _check_channel(
    reader: SndfileReader | ContainerReader, path: str | Path, channel: int | None
) -> None:
    if channel is not None and not 1 <= channel <= reader.channels:
        count = f"{reader.channels} channel" + ("s" if reader.channels > 1 else "")
        raise AsrError(f"{path} has {count}: there is no channel {channel}")


def _open(path: str | Path, name: str | Path) -> tuple[SndfileReader | ContainerReader, Layout]:
    """Chooses what reads a file; ``name`` is that of errors."""
    if not os.path.exists(path):  # unlike Path's, never an error: a name may be too long
        raise AsrError(f"{name} does not exist")
    if os.path.isdir(path):
        raise AsrError(f"{name} is a folder, not an audio file")
    try:
        if os.stat(path).st_size == 0:
            raise AsrError(f"{name} is empty (0 bytes)")
        layout = examine(path)
        reader: SndfileReader | ContainerReader | None = None
        if not layout.by_container:
            try:
                reader = SndfileReader(path, layout)
            except (OSError, soundfile.LibsndfileError):
                reader = None
        if reader is None or (isinstance(reader, SndfileReader) and reader.misses_audio):
            reader = _open_container(path) or reader
    except PermissionError as error:
        raise AsrError(f"{name} may not be read: permission denied") from error
    except OSError as error:
        raise AsrError(f"{name} is not audio in a format that can be read") from error
    if reader is None:
        raise AsrError(f"{name} is not audio in a format that can be read")
    if reader.rate < _LOWEST_RATE:
        raise AsrError(f"{name} has {reader.rate} samples a second, too few for speech")
    return reader, layout


def _open_container(path: str | Path) -> ContainerReader | None:
    # FFmpeg takes time to load, which files that libsndfile reads need not wait for.
    from asr.audio.container_reader import ContainerReader, NoAudio

    try:
        return ContainerReader(path)
    except NoAudio:
        return None


def _is_stream(path: Any) -> bool:
    return os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path))


@contextmanager
def _regular(path: str | Path) -> Iterator[str | Path]:
    """The file itself, or a copy of what a pipe or a device gives, deleted in the end."""
    if not _is_stream(path):
        yield path
        return
    with tempfile.NamedTemporaryFile(prefix="asr-") as copy:
        try:
            with open(path, "rb") as source:
                shutil.copyfileobj(source, copy)
            copy.flush()
        except OSError as error:
            raise AsrError(f"{path} can't be read: {error.strerror or error}") from error
        yield copy.name
