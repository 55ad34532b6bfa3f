"""Cuts long recordings into overlapping excerpts, whose kept parts cover every frame once.

An excerpt is as long as the longest training utterances, because features are normalised over the
whole signal (:mod:`asr.features.log_mel`) and the model reads in both directions. Excerpts overlap:
of each, only the part with context on both sides is kept. :mod:`asr.audio.segmentation`, in
contrast, drops silences, while an alignment needs every frame. A recording of up to one excerpt
stays whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from asr.audio.read import SAMPLE_RATE, Samples

# Steps of 1.28 s are whole frames of log-probabilities of 10, 20, 40 ms and so on: the frames of
# all excerpts lie on one grid.
_GRID = SAMPLE_RATE * 128 // 100  # samples
_LENGTH = 25 * _GRID  # 32 s
_MARGIN = 3 * _GRID  # 3.84 s of context at either end, kept in the neighbour
_STEP = _LENGTH - 2 * _MARGIN


@dataclass(frozen=True)
class Excerpt:
    """A part of a recording with the range that is kept."""

    samples: Samples  # 16 kHz
    first: int  # the first kept sample
    last: bool  # whether the recording ends with it

    @property
    def kept(self) -> int:
        """The number of kept samples."""
        return self._stop - self.first

    def frames(self, seconds_per_frame: float) -> slice:
        """The kept frames of log-probabilities; those of the last excerpt reach its end."""
        per_sample = 1 / (SAMPLE_RATE * seconds_per_frame)
        stop = None if self.last else round(self._stop * per_sample)
        return slice(round(self.first * per_sample), stop)

    @property
    def _stop(self) -> int:
        return len(self.samples) - (0 if self.last else _MARGIN)


def cut_excerpts(pieces: Iterable[Samples]) -> Iterator[Excerpt]:
    """Cuts a recording given as pieces of any length, without reading ahead."""
    held = np.zeros(0, np.float32)
    first = 0
    for piece in pieces:
        held = np.concatenate([held, piece])
        while len(held) > _LENGTH:
            yield Excerpt(held[:_LENGTH], first, last=False)
            held = held[_STEP:]
            first = _MARGIN
    yield Excerpt(held, first, last=True)
