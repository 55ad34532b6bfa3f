"""Long recordings in excerpts that the model can hear, each with what it needs to know around it.

An excerpt is as long as the longest utterances that models are trained on, because features are
normalised over all that is heard at once (:mod:`asr.features.log_mel`), and the model looks both
ways. Excerpts overlap, and each is believed only where it has heard what comes before and behind:
so no frame is missing and none is there twice. Unlike :mod:`asr.audio.segmentation`, which leaves
silences out for a decoder, this keeps every frame, for a path through all of them. A recording of
up to one excerpt is heard whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from asr.audio.read import SAMPLE_RATE, Samples

# In steps of 1.28 s, which are whole frames of log-probabilities wherever those last 10, 20, 40 ms
# and so on: the frames of one excerpt lie on the grid of the next.
_GRID = SAMPLE_RATE * 128 // 100  # samples
_LENGTH = 25 * _GRID  # 32 s
_MARGIN = 3 * _GRID  # 3.84 s at either end in which the neighbour is believed
_STEP = _LENGTH - 2 * _MARGIN


@dataclass(frozen=True)
class Excerpt:
    """A part of a recording, and which part of it is to be believed."""

    samples: Samples  # 16 kHz
    first: int  # the first sample that is believed
    last: bool  # whether the recording ends with it

    @property
    def believed(self) -> int:
        """How many samples are."""
        return self._stop - self.first

    def frames(self, seconds_per_frame: float) -> slice:
        """The frames of log-probabilities that are; of the last excerpt all up to the end."""
        per_sample = 1 / (SAMPLE_RATE * seconds_per_frame)
        stop = None if self.last else round(self._stop * per_sample)
        return slice(round(self.first * per_sample), stop)

    @property
    def _stop(self) -> int:
        return len(self.samples) - (0 if self.last else _MARGIN)


def excerpts(pieces: Iterable[Samples]) -> Iterator[Excerpt]:
    """Cuts a recording that comes in pieces of any length, reading no further than it must."""
    held = np.zeros(0, np.float32)
    first = 0
    for piece in pieces:
        held = np.concatenate([held, piece])
        while len(held) > _LENGTH:
            yield Excerpt(held[:_LENGTH], first, last=False)
            held = held[_STEP:]
            first = _MARGIN
    yield Excerpt(held, first, last=True)
