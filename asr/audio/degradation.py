"""Simulated degradation of recordings: noise, reverberation, telephone, level, tempo, pitch.

Used by training augmentation (:class:`asr.config.data.AugmentConfig`), and by scripts/degrade for
test sets.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

from asr.audio.read import SAMPLE_RATE, Samples

Random = np.random.Generator

TELEPHONE_RATE = 8_000  # Hz
_VOCODER = 512  # samples, 32 ms: longer windows smear plosives
_TELEPHONE_BAND = (300.0, 3400.0)  # Hz, ITU-T G.712
_FIRST_REFLECTION = 0.002  # seconds, the delay of the first reflection


def add_noise(samples: Samples, decibels: float, slope: float, random: Random) -> Samples:
    """Adds stationary noise.

    Args:
        samples: a signal, shape (samples,).
        decibels: signal-to-noise ratio, pauses of the signal included.
        slope: exponent of the noise's power over 1 / frequency: 0 is white, 1 pink, 2 brown.
        random: source of the noise.
    """
    from scipy import fft  # slow to import

    length = fft.next_fast_len(len(samples), real=True)  # a prime length takes 26 times as long
    spectrum = fft.rfft(random.standard_normal(length, np.float32))
    hertz = fft.rfftfreq(length, 1 / SAMPLE_RATE).astype(np.float32)
    spectrum *= np.maximum(hertz, 50.0) ** (-slope / 2)  # flat below 50 Hz, where no speech is
    return mix(samples, fft.irfft(spectrum, length)[: len(samples)], decibels)


def mix(samples: Samples, other: NDArray[np.floating], decibels: float) -> Samples:
    """Adds another signal of the same length, ``decibels`` weaker in power."""
    power, other_power = _power(samples), _power(other)
    if power == 0.0 or other_power == 0.0:
        return samples
    gain = math.sqrt(power / other_power) * 10.0 ** (-decibels / 20.0)
    mixed: Samples = (samples + gain * other).astype(np.float32)
    return mixed


def add_echo(samples: Samples, seconds: float, decibels: float, random: Random) -> Samples:
    """Adds reverberation by decaying noise (Moorer 1979).

    Args:
        samples: a signal, shape (samples,).
        seconds: reverberation time (T60).
        decibels: ratio of direct to reverberant power.
        random: source of the reflections.
    """
    from scipy.signal import fftconvolve  # slow to import

    time = np.arange(1, max(2, int(seconds * SAMPLE_RATE))) / SAMPLE_RATE
    tail = random.standard_normal(len(time)) * 10.0 ** (-3.0 * time / seconds)
    tail[: int(_FIRST_REFLECTION * SAMPLE_RATE)] = 0.0
    tail *= 10.0 ** (-decibels / 20.0) / math.sqrt(max(1e-12, float(np.square(tail).sum())))
    room = np.concatenate([[1.0], tail])
    reverberant: Samples = fftconvolve(samples, room)[: len(samples)].astype(np.float32)
    return reverberant


def telephone(samples: Samples) -> NDArray[np.float32]:
    """Telephone speech at 8 kHz: band-limited, companded to 8 bits by the mu-law (G.711)."""
    import soxr
    from scipy.signal import sosfilt

    narrowband = soxr.resample(samples, SAMPLE_RATE, TELEPHONE_RATE)
    narrowband = np.clip(sosfilt(_telephone_filter(), narrowband), -1.0, 1.0)
    steps = np.rint(
        127.5 * np.sign(narrowband) * np.log1p(255.0 * np.abs(narrowband)) / math.log(256.0)
    )
    companded = np.sign(steps) * np.expm1(np.abs(steps) / 127.5 * math.log(256.0)) / 255.0
    return np.asarray(companded, np.float32)


def through_telephone(samples: Samples) -> Samples:
    """:func:`telephone` brought back to 16 kHz, as long as ``samples``."""
    import soxr

    wide = soxr.resample(telephone(samples), TELEPHONE_RATE, SAMPLE_RATE)
    padded: Samples = np.pad(wide, (0, max(0, len(samples) - len(wide))))[: len(samples)]
    return padded


def change_level(samples: Samples, decibels: float) -> Samples:
    """Changes the level; samples beyond full scale are clipped."""
    changed: Samples = np.clip(samples * np.float32(10.0 ** (decibels / 20.0)), -1.0, 1.0)
    return changed


def change_tempo(samples: Samples, factor: float) -> Samples:
    """Speaks faster by ``factor`` at the same pitch, by a phase vocoder."""
    import librosa  # slow to import

    changed: Samples = librosa.effects.time_stretch(samples, rate=factor, n_fft=_VOCODER)
    return changed


def change_pitch(samples: Samples, semitones: float) -> Samples:
    """Raises the pitch by ``semitones``, formants included, at the same tempo."""
    import librosa  # slow to import

    changed: Samples = librosa.effects.pitch_shift(
        samples, sr=SAMPLE_RATE, n_steps=semitones, n_fft=_VOCODER
    )
    return changed


def _power(samples: NDArray[np.floating]) -> float:
    return float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0


@functools.cache
def _telephone_filter() -> NDArray[np.float64]:
    from scipy.signal import butter

    sections: NDArray[np.float64] = butter(
        4, _TELEPHONE_BAND, btype="bandpass", fs=TELEPHONE_RATE, output="sos"
    )
    return sections
