"""Resampling of streams to 16 kHz by soxr, independent of where their blocks end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from asr.audio.signal import SAMPLE_RATE, Samples


def resample(pieces: Iterable[tuple[int, NDArray[np.float32]]]) -> Iterator[Samples]:
    """Brings a mono stream to 16 kHz; its rate may change on the way.

    Args:
        pieces: sample rates and samples.
    """
    stream: _Stream | None = None
    for rate, samples in pieces:
        if stream is not None and stream.rate != rate:
            yield stream.finish()
            stream = None
        if rate == SAMPLE_RATE:
            yield samples
            continue
        stream = stream or _Stream(rate)
        resampled = stream.resample(samples)
        if len(resampled):
            yield resampled
    if stream is not None:
        yield stream.finish()


class _Stream:
    """A stream of one sample rate; its length at 16 kHz is rounded up."""

    def __init__(self, rate: int) -> None:
        import soxr  # 16 kHz audio needs no resampler

        self.rate = rate
        self._soxr = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")
        self._read = self._written = 0

    def resample(self, samples: Samples) -> Samples:
        resampled: Samples = self._soxr.resample_chunk(samples)
        self._read += len(samples)
        self._written += len(resampled)
        return resampled

    def finish(self) -> Samples:
        if self._read == 0:
            return np.zeros(0, np.float32)
        tail = self._soxr.resample_chunk(np.zeros(0, np.float32), last=True)
        missing = -(-self._read * SAMPLE_RATE // self.rate) - self._written  # soxr rounds down
        return np.pad(tail[:missing], (0, max(0, missing - len(tail))))
