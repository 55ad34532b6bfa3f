"""Audio of utterances: whole files, or segments of longer recordings."""

from __future__ import annotations

import os
import sys
from threading import Lock

import numpy as np

from asr.audio.read import SAMPLE_RATE, Samples, audio_duration, load_audio, read_pieces
from asr.corpora.manifest import Utterance
from asr.errors import AsrError
from asr.runtime.files import why_unreadable

_KEPT = 3600.0  # seconds; a longer recording is read anew for each of its segments
_ROUNDING = 0.05  # seconds before the end of a recording that count as its end


class _LastRecording:
    """The recording that was read last, since its segments are mostly read one after the other."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._key: tuple[str, int, int] | None = None
        self._seconds = 0.0
        self._samples: Samples | None = None

    def read(self, path: str) -> tuple[float, Samples | None]:
        """The length in seconds, and the samples, None of a recording too long to keep.

        Raises:
            AsrError: the file can't be read.
        """
        try:
            status = os.stat(path)
        except OSError as error:
            raise AsrError(f"{path} {why_unreadable(error)}") from error
        key = path, status.st_mtime_ns, status.st_size
        with self._lock:
            if key != self._key:
                self._key = self._samples = None
                self._seconds = audio_duration(path)
                if self._seconds <= _KEPT:
                    self._samples = load_audio(path)
                self._key = key
            return self._seconds, self._samples


_last = _LastRecording()


def load_utterance(utterance: Utterance) -> Samples:
    """Reads the audio of an utterance.

    Returns:
        Samples at 16 kHz, shape (samples,).

    Raises:
        AsrError: the file can't be read, or ends before the utterance begins.
    """
    path = utterance.audio_filepath
    if utterance.offset is None:
        return load_audio(path)
    seconds, recording = _last.read(path)
    end = utterance.offset + utterance.duration
    start = round(utterance.offset * SAMPLE_RATE)
    # NeMo gives whole recordings an offset of 0 and a rounded duration.
    stop = round(end * SAMPLE_RATE) if end < seconds - _ROUNDING else sys.maxsize
    if recording is None:
        samples = _read_between(path, start, stop)
    else:
        samples = recording[start:stop].copy()
    if not len(samples):
        raise AsrError(
            f"{path} has no audio at {utterance.offset:g} s, where {utterance.utterance_id} "
            f"begins; it ends at {seconds:.2f} s"
        )
    return samples


def _read_between(path: str, start: int, stop: int) -> Samples:
    parts = [np.zeros(0, np.float32)]
    position = 0
    for piece in read_pieces(path):
        if position + len(piece) > start:
            parts.append(piece[max(0, start - position) : stop - position])
        position += len(piece)
        if position >= stop:
            break
    return np.concatenate(parts)
