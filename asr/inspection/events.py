"""Silence, voicing and word boundaries in speech, and the units that correlate with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from asr.audio.read import SAMPLE_RATE, Samples
from asr.audio.segmentation import levels, quiet
from asr.features.mel import FRAMES_PER_SECOND, HOP
from asr.inspection.trace import Array
from asr.transcript import Word

SILENCE, VOICING, BOUNDARY = "silence", "voicing", "word boundary"

_LOWEST, _HIGHEST = 60, 400  # Hz; lower and higher than anyone's pitch in reading
_PITCH_WINDOW = 640  # samples, 40 ms
_PERIODIC = 0.45  # least autocorrelation of a voiced frame; Praat's threshold
_SHIFTS = 200  # of an event in time, to estimate chance correlations
_CHANCE = 0.95
_LISTED = 8  # units in a record


@dataclass(frozen=True)
class EventCorrelation:
    """Correlations of a layer's units with an event."""

    event: str
    correlations: Array  # Pearson's, of each unit's output, shape (units,)
    chance: float  # 95th percentile of the strongest correlation by chance

    def strongest(self, count: int) -> list[int]:
        """Units, counted from 0, by strength of correlation, of either sign."""
        order = np.argsort(-np.abs(self.correlations), kind="stable")
        return [int(unit) for unit in order[:count]]

    def to_json(self) -> dict[str, Any]:
        """The event, chance, and the strongest units, counted from 1."""
        return {
            "event": self.event,
            "chance": round(self.chance, 3),
            "units": [
                [unit + 1, round(float(self.correlations[unit]), 3)]
                for unit in self.strongest(_LISTED)
            ],
        }


def find_events(
    samples: Samples, words: Sequence[Word], seconds_per_frame: float = 0.0
) -> dict[str, Array]:
    """The presence of each event, 0 to 1, every 10 ms.

    - silence: the level is in the lowest quarter between the recording's background and its speech
      (:mod:`asr.audio.segmentation`).
    - voicing: no silence, and the autocorrelation has a high peak at the period of a pitch of 60 to
      400 Hz (Boersma 1993).
    - word boundary: from the last emission of a word to the first of the next, at least 10 ms.
      Times are those of CTC emissions, which may come early or late.

    Args:
        samples: 16 kHz signal, shape (samples,).
        words: the transcript; fewer than two have no boundary.
        seconds_per_frame: of the model's front-end. Its frames are centred on multiples of this,
            while emissions are timed from there: events of the audio are delayed by half a frame.
    """
    silence = _silence(samples)
    late = round(seconds_per_frame / 2 * FRAMES_PER_SECOND)
    acoustic = {SILENCE: silence, VOICING: _voicing(samples, silence)}
    found = {name: np.pad(event, (late, 0), mode="edge") for name, event in acoustic.items()}
    if len(words) > 1:
        found[BOUNDARY] = _boundaries(words, len(silence))
    return found


def at_frames(event: Array, seconds_per_frame: float, frames: int) -> Array:
    """An event's mean in each frame of a layer, shape (frames,)."""
    width = round(seconds_per_frame * FRAMES_PER_SECOND)
    padded = np.pad(event, (0, max(0, frames * width - len(event))), mode="edge")
    mean: Array = padded[: frames * width].reshape(frames, width).mean(axis=1)
    return mean


def correlate(
    outputs: Array, events: Mapping[str, Array], seconds_per_frame: float
) -> list[EventCorrelation]:
    """Correlates the units of a layer with events.

    Chance is estimated by rotating the event in time, which keeps the rhythm of both: the strongest
    correlation of any unit with the rotated event.

    Args:
        outputs: of the layer, shape (frames, units).
        events: from :func:`find_events`.
        seconds_per_frame: of the layer.
    """
    units = _standardised(outputs)
    frames = len(units)
    shifts = np.unique(np.linspace(0.1 * frames, 0.9 * frames, _SHIFTS).astype(int))
    found = []
    for name, event in events.items():
        course = _standardised(at_frames(event, seconds_per_frame, frames)[:, None])[:, 0]
        turned = np.stack([np.roll(course, shift) for shift in shifts])
        by_chance = np.abs(turned @ units).max(axis=1)
        found.append(EventCorrelation(name, course @ units, float(np.quantile(by_chance, _CHANCE))))
    return found


def _standardised(series: Array) -> Array:
    """Scales to mean 0 and norm 1 over frames, so that products are correlations; 0 if constant."""
    centred = series - series.mean(axis=0)
    norm = np.linalg.norm(centred, axis=0)
    flat = norm <= 1e-9 * len(series)
    scaled: Array = np.where(flat, 0.0, centred / np.where(flat, 1.0, norm))
    return scaled


def _silence(samples: Samples) -> Array:
    return np.asarray(quiet(levels(samples)), np.float64)


def _voicing(samples: Samples, silence: Array) -> Array:
    """Where the autocorrelation, divided by the window's own, peaks at a period of a pitch."""
    window = np.hanning(_PITCH_WINDOW)
    padded = np.pad(samples, _PITCH_WINDOW // 2)
    frames = sliding_window_view(padded, _PITCH_WINDOW)[::HOP][: len(silence)]
    frames = (frames - frames.mean(axis=1, keepdims=True)) * window
    likeness = _autocorrelation(frames) / _autocorrelation(window)
    found = likeness[:, SAMPLE_RATE // _HIGHEST : SAMPLE_RATE // _LOWEST].max(axis=1)
    return np.asarray((found > _PERIODIC) & (silence == 0.0), np.float64)


def _autocorrelation(signal: Array) -> Array:
    """Of the last axis, at lags up to the longest period, 1 at lag 0."""
    power = np.abs(np.fft.rfft(signal, 2 * _PITCH_WINDOW)) ** 2
    products = np.fft.irfft(power)[..., : SAMPLE_RATE // _LOWEST]
    scaled: Array = products / np.maximum(products[..., :1], 1e-12)
    return scaled


def _boundaries(words: Sequence[Word], steps: int) -> Array:
    found = np.zeros(steps)
    for before, after in pairwise(words):
        first = round(before.end * FRAMES_PER_SECOND)
        last = max(first + 1, round(after.start * FRAMES_PER_SECOND))
        found[first:last] = 1.0
    return found
