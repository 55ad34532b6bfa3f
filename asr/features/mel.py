"""Constants, frame counts and filters of log-mel features.

Shared by :mod:`asr.features.log_mel` with torch and :mod:`asr.inference.numba_features` without.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from asr.audio.read import SAMPLE_RATE

if TYPE_CHECKING:
    from torch import Tensor

Count = TypeVar("Count", int, "Tensor")
Hertz = NDArray[np.float64]

WINDOW = 400  # samples, 25 ms
HOP = 160  # samples, 10 ms
FRAMES_PER_SECOND = SAMPLE_RATE / HOP

FLOOR = 1e-6  # added to the power: keeps the logarithm of digital silence finite
LEVEL = 0.06  # root mean square of an utterance, typical of recorded read speech
MOST_GAIN = 30.0  # limits the amplification of what may be no speech
SPREAD = 3.0  # divisor of log-mel values, whose spread on read speech it is

_SPEECH_TOP = 4800.0  # Hz; formants that tell words apart lie below


def feature_frames(samples: Count) -> Count:
    """The number of feature frames of ``samples``."""
    return 1 + samples // HOP


def gain(level: float) -> float:
    """The factor that scales a signal of this root mean square to :data:`LEVEL`."""
    return min(LEVEL / level, MOST_GAIN) if level else 1.0


@functools.cache
def filters(bins: int, warp: float = 1.0) -> NDArray[np.float32]:
    """Triangular mel filters, shape (201, bins), at frequencies divided by ``warp``.

    Slaney's scale with unit area up to 8 kHz: equal to ``librosa.filters.mel`` at ``warp`` 1, which
    has no warping. Built in float64: in torchaudio's float32, rounding moves a quiet bin beside a
    loud one by up to 3e-4.
    """
    edges = _mel_to_hertz(np.linspace(0.0, _hertz_to_mel(SAMPLE_RATE / 2), bins + 2))
    edges = _warp(edges, 1.0 / warp)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    hertz = np.linspace(0.0, SAMPLE_RATE / 2, WINDOW // 2 + 1)[:, None]
    rising = (hertz - lower) / (centre - lower)
    falling = (upper - hertz) / (upper - centre)
    triangles = np.maximum(np.minimum(rising, falling), 0.0)
    found: NDArray[np.float32] = (triangles * 2.0 / (upper - lower)).astype(np.float32)
    return found


def _warp(hertz: Hertz, factor: float) -> Hertz:
    """Stretches frequencies by ``factor`` in the range of speech, with both ends fixed.

    Above the knee a second line leads to the end of the band (Jaitly and Hinton 2013, section 3).
    """
    knee = _SPEECH_TOP * min(factor, 1.0) / factor
    top = SAMPLE_RATE / 2
    slope = (top - factor * knee) / (top - knee)
    return np.where(hertz <= knee, factor * hertz, top - slope * (top - hertz))


# Slaney's mel scale (Auditory Toolbox, 1998): linear up to 1 kHz, logarithmic above.
_HERTZ_PER_MEL = 200.0 / 3.0
_KNEE = 1000.0  # Hz
_LOG_STEP = math.log(6.4) / 27.0


def _hertz_to_mel(hertz: float) -> float:
    above = _KNEE / _HERTZ_PER_MEL + math.log(max(hertz, _KNEE) / _KNEE) / _LOG_STEP
    return hertz / _HERTZ_PER_MEL if hertz < _KNEE else above


def _mel_to_hertz(mel: Hertz) -> Hertz:
    knee = _KNEE / _HERTZ_PER_MEL
    above = _KNEE * np.exp(_LOG_STEP * np.maximum(mel - knee, 0.0))
    return np.where(mel < knee, mel * _HERTZ_PER_MEL, above)
