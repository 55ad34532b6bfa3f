"""What lies between a mouth and a recording: noise, a room, the telephone, the distance.

Each is a function of a signal and of chance, used twice: training hears its speech through them
(:class:`asr.config.schema.AugmentConfig`), and scripts/degrade makes test sets with them.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

from asr.audio.read import SAMPLE_RATE, Samples

Random = np.random.Generator

TELEPHONE_RATE = 8_000  # Hz
_TELEPHONE_BAND = (300.0, 3400.0)  # Hz, ITU-T G.712
_NEAREST_WALL = 0.002  # seconds until the first reflection


def add_noise(samples: Samples, decibels: float, slope: float, random: Random) -> Samples:
    """Adds stationary noise.

    Args:
        samples: a signal, shape (samples,).
        decibels: power of the signal, its pauses included, over that of the noise.
        slope: of the noise's power towards high frequencies: 0 is white noise, 1 pink, 2 brown.
        random: where the noise comes from.
    """
    from scipy import fft  # here, because transcribing needs none of this

    length = fft.next_fast_len(len(samples), real=True)  # a prime one takes 26 times as long
    spectrum = fft.rfft(random.standard_normal(length, np.float32))
    hertz = fft.rfftfreq(length, 1 / SAMPLE_RATE).astype(np.float32)
    spectrum *= np.maximum(hertz, 50.0) ** (-slope / 2)  # below 50 Hz there is no speech to cover
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
    """Plays a signal in a room, made of decaying noise (Moorer 1979).

    Args:
        samples: a signal, shape (samples,).
        seconds: in which the room's sound falls by 60 dB (T60).
        decibels: power of the direct sound over that of all reflections.
        random: where the reflections come from.
    """
    from scipy.signal import fftconvolve  # here, because transcribing needs none of this

    time = np.arange(1, max(2, int(seconds * SAMPLE_RATE))) / SAMPLE_RATE
    tail = random.standard_normal(len(time)) * 10.0 ** (-3.0 * time / seconds)
    tail[: int(_NEAREST_WALL * SAMPLE_RATE)] = 0.0
    tail *= 10.0 ** (-decibels / 20.0) / math.sqrt(max(1e-12, float(np.square(tail).sum())))
    room = np.concatenate([[1.0], tail])
    heard: Samples = fftconvolve(samples, room)[: len(samples)].astype(np.float32)
    return heard


def telephone(samples: Samples) -> NDArray[np.float32]:
    """The telephone's band at its rate of 8 kHz, companded to 8 bits by the mu-law (G.711)."""
    import soxr
    from scipy.signal import sosfilt

    narrow = soxr.resample(samples, SAMPLE_RATE, TELEPHONE_RATE)
    narrow = np.clip(sosfilt(_telephone_filter(), narrow), -1.0, 1.0)
    steps = np.rint(127.5 * np.sign(narrow) * np.log1p(255.0 * np.abs(narrow)) / math.log(256.0))
    companded = np.sign(steps) * np.expm1(np.abs(steps) / 127.5 * math.log(256.0)) / 255.0
    return np.asarray(companded, np.float32)


def through_telephone(samples: Samples) -> Samples:
    """What a 16 kHz recogniser gets of :func:`telephone`, as long as ``samples``."""
    import soxr

    wide = soxr.resample(telephone(samples), TELEPHONE_RATE, SAMPLE_RATE)
    heard: Samples = np.pad(wide, (0, max(0, len(samples) - len(wide))))[: len(samples)]
    return heard


def change_level(samples: Samples, decibels: float) -> Samples:
    """Louder or softer; what is too loud is clipped, as in a recorder."""
    changed: Samples = np.clip(samples * np.float32(10.0 ** (decibels / 20.0)), -1.0, 1.0)
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
