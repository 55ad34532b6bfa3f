"""Removal of what drowns speech without being speech: DC, rumble, mains hum, a very low level.

Features are scaled by the level of the whole signal (:mod:`asr.features.mel`), which such a
component would set. Ordinary recordings pass unchanged, to the bit.
"""

from __future__ import annotations

import numpy as np

from asr.audio.signal import SAMPLE_RATE, Samples

_BLOCK = SAMPLE_RATE // 100  # 10 ms, whose means hold what lies below 50 Hz or so
_SUSPICIOUS = 0.2  # part of the power in these means; of speech it is some hundredths
_DROWNED = 0.7  # part of the power below the stop frequency, from which on it is removed
_STOP, _PASS = 65.0, 95.0  # Hz; below, nothing is left, above, everything
_SOFT = 0.0005  # root mean square, -66 dBFS: speech below is amplified
_AUDIBLE = 0.002  # to this, where the gain of features suffices


def condition(samples: Samples) -> Samples:
    """Removes dominant low frequencies, and amplifies what is very soft.

    Args:
        samples: a signal, shape (samples,).

    Returns:
        The signal itself unless it needs either.
    """
    samples = remove_rumble(samples)
    level = _power(samples) ** 0.5
    if not 0.0 < level < _SOFT:
        return samples
    return (samples * np.float32(_AUDIBLE / level)).astype(np.float32)


def remove_rumble(samples: Samples) -> Samples:
    """Removes low frequencies where they dominate a signal."""
    whole = len(samples) // _BLOCK * _BLOCK
    if whole == 0:
        return samples
    means = samples[:whole].reshape(-1, _BLOCK).mean(axis=1, dtype=np.float64)
    if float(np.square(means).mean()) <= _SUSPICIOUS * _power(samples):
        return samples
    return _without_rumble(samples)


def _power(samples: Samples) -> float:
    return float(np.square(samples, dtype=np.float64).mean()) if len(samples) else 0.0


def _without_rumble(samples: Samples) -> Samples:
    """High-pass filters in the frequency domain, where low frequencies dominate."""
    length = 1 << (len(samples) - 1).bit_length()
    offset = samples.mean(dtype=np.float64)  # subtracted first: no step at the padding
    spectrum = np.fft.rfft(samples.astype(np.float64) - offset, length)
    hertz = np.fft.rfftfreq(length, 1 / SAMPLE_RATE)
    powers = np.square(np.abs(spectrum)) * (2.0 / length / len(samples))
    low = offset**2 + float(powers[hertz < _STOP].sum())
    if low < _DROWNED * (offset**2 + float(powers.sum())):
        return samples
    spectrum *= np.clip((hertz - _STOP) / (_PASS - _STOP), 0.0, 1.0)
    filtered: Samples = np.fft.irfft(spectrum, length)[: len(samples)].astype(np.float32)
    return filtered
