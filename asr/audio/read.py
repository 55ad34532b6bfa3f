"""Audio files to 16 kHz mono float samples, at once or piece by piece."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from asr.errors import AsrError

SAMPLE_RATE = 16_000  # Hz, of every signal inside the package

# What a folder is searched for: the containers that libsndfile reads and people use.
EXTENSIONS = frozenset(
    [
        *(".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".nist", ".oga", ".ogg"),
        *(".opus", ".rf64", ".snd", ".sph", ".w64", ".wav"),
    ]
)

# Extensions of common formats that libsndfile does not read.
UNREADABLE = frozenset(
    [
        *(".3gp", ".aac", ".ac3", ".amr", ".ape", ".m4a", ".m4b", ".mka", ".mp4", ".weba"),
        *(".webm", ".wma", ".wv"),
    ]
)

Samples = NDArray[np.float32]

_BLOCK = 1 << 19  # samples that are read at a time, of all channels together
_LOWEST_RATE = 2_000  # Hz; below, no speech is left
_UNKNOWN = 2**63 - 1  # samples, says libsndfile of a FLAC file that was written to a pipe
_ENOUGH = 0.9  # of the samples that an MP3 promises; fewer are no matter of rounding
_LOUDEST = 1e6  # far beyond full scale, even where that is 32768; the features' squares stay finite


def load_audio(path: str | Path, channel: int | None = None) -> Samples:
    """Reads an audio file.

    The sample rate is changed by soxr's high-quality filter.

    Args:
        path: the file.
        channel: counted from 1; by default all channels are averaged.

    Returns:
        Samples at 16 kHz, shape (samples,), nominally within [-1, 1], at least one of them.

    Raises:
        AsrError: the file is missing, is no audio, lacks the channel, or holds no samples or not
            only finite ones.
    """
    return np.concatenate(list(read_pieces(path, channel)))


def read_pieces(path: str | Path, channel: int | None = None) -> Iterator[Samples]:
    """What :func:`load_audio` returns, in pieces of bounded size, however long the file is.

    Raises:
        AsrError: as :func:`load_audio`, as soon as it shows.
    """
    with _open(path) as file:
        _check_channel(file, path, channel)
        empty = True
        for piece in _to_16k(_read_mono(file, path, channel), file.samplerate):
            empty = False
            yield piece
    if empty:
        raise AsrError(f"{path} holds no audio samples")


def to_16k_mono(signal: NDArray[np.float32], rate: int, name: str | Path = "the signal") -> Samples:
    """Averages the channels of ``signal``, shape (samples, channels), and brings it to 16 kHz."""
    return np.concatenate(list(_to_16k([_mono(signal, None, name)], rate)))


def audio_duration(path: str | Path) -> float:
    """The length of an audio file in seconds, read from its header where that has one.

    Raises:
        AsrError: the file is missing, no audio, or holds no samples, or it has to be decoded to be
            measured and is damaged.
    """
    with _open(path) as file:
        samples = file.frames
        if samples == _UNKNOWN:
            samples = sum(map(len, _read_mono(file, path, None)))
        if samples <= 0:
            raise AsrError(f"{path} holds no audio samples")
        return float(samples) / float(file.samplerate)


def count_channels(path: str | Path) -> int:
    """How many channels an audio file has.

    Raises:
        AsrError: the file is missing or no audio.
    """
    with _open(path) as file:
        return int(file.channels)


def find_audio(folder: str | Path, extensions: Collection[str] = EXTENSIONS) -> list[Path]:
    """All files below ``folder`` with the extension of an audio format, sorted by path."""
    found = (path for path in Path(folder).rglob("*") if path.suffix.lower() in extensions)
    return sorted(path for path in found if os.path.isfile(path))


class _Forward(soundfile.SoundFile):  # type: ignore[misc]
    """A file that is read from its beginning to its end.

    Otherwise soundfile would seek after each piece to where libsndfile is anyway, which fails in
    FLAC of unknown length and disturbs the decoding of MP3.
    """

    def seekable(self) -> bool:
        return False


def _read_mono(
    file: soundfile.SoundFile, path: str | Path, channel: int | None
) -> Iterator[Samples]:
    frames = max(1, _BLOCK // file.channels)
    read = 0
    while True:
        try:
            block = file.read(frames, dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, MemoryError) as error:
            raise AsrError(f"{path} is damaged: its audio can't be decoded") from error
        if len(block) == 0:
            break
        read += len(block)
        yield _mono(block, channel, path)
    # FLAC that is cut off is an error already; of other formats libsndfile counts what is there.
    if file.format == "MP3" and read < _ENOUGH * file.frames and _says_its_length(path):
        promised, left = file.frames / file.samplerate, read / file.samplerate
        raise AsrError(
            f"{path} is damaged: of its {promised:.1f} s of audio {left:.1f} s are left; "
            "convert it, to WAV for example, to have those"
        )


def _says_its_length(path: str | Path) -> bool:
    """Whether an MP3 counts its frames at its start; if not, libsndfile guesses by the first one.

    Its first frame holds no audio then but a tag, in which flags and the count follow the name.
    """
    with open(path, "rb") as file:
        start = file.read(10)
        if start.startswith(b"ID3"):  # title and so on, by the length of 7 bits a byte
            file.seek(start[6] << 21 | start[7] << 14 | start[8] << 7 | start[9], os.SEEK_CUR)
        else:
            file.seek(0)
        tag = re.search(rb"(?:Xing|Info)(.{4})(.{4})", file.read(64), re.DOTALL)
    return tag is not None and tag[1][3] & 1 == 1 and any(tag[2])


def _mono(block: NDArray[np.float32], channel: int | None, name: str | Path) -> Samples:
    """One channel of ``block``, shape (samples, channels), or the mean of all."""
    mono: Samples = (
        block.mean(axis=1, dtype=np.float32)
        if channel is None
        else np.ascontiguousarray(block[:, channel - 1])
    )
    if not np.isfinite(mono).all():
        raise AsrError(f"{name} holds samples that are not finite numbers")
    if mono.max(initial=0.0) > _LOUDEST or mono.min(initial=0.0) < -_LOUDEST:
        raise AsrError(f"{name} holds samples beyond any scale of audio; is its header right?")
    return mono


def _to_16k(pieces: Iterable[Samples], rate: int) -> Iterator[Samples]:
    """Resamples a stream of pieces; what comes out does not depend on where they end."""
    if rate == SAMPLE_RATE:
        yield from pieces
        return
    import soxr  # here, because 16 kHz audio need not wait for it

    stream = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")
    read = written = 0
    for piece in pieces:
        resampled = stream.resample_chunk(piece)
        read += len(piece)
        written += len(resampled)
        if len(resampled):
            yield resampled
    if read:
        tail = stream.resample_chunk(np.zeros(0, np.float32), last=True)
        missing = -(-read * SAMPLE_RATE // rate) - written  # soxr rounds the length, we round up
        yield np.pad(tail[:missing], (0, max(0, missing - len(tail))))


def _check_channel(file: soundfile.SoundFile, path: str | Path, channel: int | None) -> None:
    if channel is not None and not 1 <= channel <= file.channels:
        count = f"{file.channels} channel" + ("s" if file.channels > 1 else "")
        raise AsrError(f"{path} has {count}: there is no channel {channel}")


def _open(path: str | Path) -> soundfile.SoundFile:
    path = Path(path)
    if not os.path.exists(path):  # unlike Path's, never an error: a name may be too long
        raise AsrError(f"{path} does not exist")
    if path.is_dir():
        raise AsrError(f"{path} is a folder, not an audio file")
    try:
        if path.stat().st_size == 0:
            raise AsrError(f"{path} is empty (0 bytes)")
        file = _Forward(os.fsencode(path))  # soundfile itself encodes only what is Unicode
    except (OSError, soundfile.LibsndfileError) as error:
        if isinstance(error, PermissionError):
            raise AsrError(f"{path} may not be read: permission denied") from error
        raise AsrError(f"{path} is not audio in a format that can be read") from error
    if file.samplerate < _LOWEST_RATE:
        file.close()
        raise AsrError(f"{path} has {file.samplerate} samples a second, too few for speech")
    return file
