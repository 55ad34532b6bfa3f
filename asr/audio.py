"""Any audio file to 16 kHz mono float samples."""

from __future__ import annotations

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

Samples = NDArray[np.float32]


def load_audio(path: str | Path) -> Samples:
    """Reads an audio file.

    Channels are averaged; the sample rate is changed by librosa with soxr's high-quality filter.

    Returns:
        Samples at 16 kHz, shape (samples,), nominally within [-1, 1], at least one of them.

    Raises:
        AsrError: the file is missing, is no audio, or holds no samples or not only finite ones.
    """
    with _open(path) as file:
        rate = file.samplerate
        try:
            signal = file.read(dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, MemoryError) as error:
            raise AsrError(f"{path} is damaged: its audio can't be decoded") from error
    if len(signal) == 0:
        raise AsrError(f"{path} holds no audio samples")
    return to_16k_mono(signal, rate, path)


def to_16k_mono(signal: NDArray[np.float32], rate: int, name: str | Path = "the signal") -> Samples:
    """Averages the channels of ``signal``, shape (samples, channels), and brings it to 16 kHz."""
    mono: Samples = signal.mean(axis=1, dtype=np.float32)
    if not np.isfinite(mono).all():
        raise AsrError(f"{name} holds samples that are not finite numbers")
    if rate == SAMPLE_RATE:
        return mono
    import librosa  # here, because 16 kHz audio need not wait for it

    resampled = librosa.resample(mono, orig_sr=rate, target_sr=SAMPLE_RATE, res_type="soxr_hq")
    return np.asarray(resampled, dtype=np.float32)


def audio_duration(path: str | Path) -> float:
    """The length of an audio file in seconds, read from its header where the format has one.

    Raises:
        AsrError: the file is missing, no audio, or holds no samples.
    """
    with _open(path) as file:
        if file.frames <= 0:
            raise AsrError(f"{path} holds no audio samples")
        return float(file.frames) / float(file.samplerate)


def find_audio(folder: str | Path) -> list[Path]:
    """All files below ``folder`` with the extension of an audio format, sorted by path."""
    found = (path for path in Path(folder).rglob("*") if path.suffix.lower() in EXTENSIONS)
    return sorted(path for path in found if path.is_file())


def _open(path: str | Path) -> soundfile.SoundFile:
    path = Path(path)
    if not path.exists():
        raise AsrError(f"{path} does not exist")
    if path.is_dir():
        raise AsrError(f"{path} is a folder, not an audio file")
    try:
        if path.stat().st_size == 0:
            raise AsrError(f"{path} is empty (0 bytes)")
        file: soundfile.SoundFile = soundfile.SoundFile(path)
        return file
    except (OSError, soundfile.LibsndfileError) as error:
        if isinstance(error, PermissionError):
            raise AsrError(f"{path} may not be read: permission denied") from error
        raise AsrError(f"{path} is not audio in a format that can be read") from error
