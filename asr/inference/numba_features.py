"""Log-mel features without torch: those of :mod:`asr.features.log_mel`, for one utterance."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from asr.audio.read import Samples
from asr.features.mel import FLOOR, HOP, SPREAD, WINDOW, feature_frames, filters, gain
from asr.inference.kernels import affine

_FRAMES = 512  # at a time: bounds memory


def extract(samples: Samples, bins: int) -> NDArray[np.float32]:
    """Normalised log-mel features of a 16 kHz signal, shape (frames, bins)."""
    level = math.sqrt(np.square(samples, dtype=np.float64).sum() / max(1, len(samples)))
    padded = np.pad(samples * np.float32(gain(level)), WINDOW // 2)
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi / WINDOW * np.arange(WINDOW))  # Hann's, periodic
    floor = np.full(bins, FLOOR, np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    features = np.empty((feature_frames(len(samples)), bins), np.float32)
    for start in range(0, len(features), _FRAMES):
        spectrum = np.fft.rfft(windows[start : start + _FRAMES] * window)
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        found = affine(power.astype(np.float32), filters(bins), floor)
        features[start : start + _FRAMES] = np.log(found)
    mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
    normalised: NDArray[np.float32] = (features - mean) / np.float32(SPREAD)
    return normalised
