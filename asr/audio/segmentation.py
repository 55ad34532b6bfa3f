"""Segmentation of long recordings at pauses, into stretches that are decoded one by one.

Models are trained on utterances of some seconds: features are normalised over a whole utterance
(:mod:`asr.features.log_mel`), and both directions of the network read to its ends. So a recording
is cut at pauses, where a cut harms no word.

Pauses are found by energy. The task is not speech detection, which the recogniser does, but to find
one quiet place every few seconds; a wrong guess is harmless as long as the place is quiet. A voice
activity detector would be one more network to install and trust. The model's blanks require
features normalised over a stretch that is not chosen yet, and occur inside words too. Levels are
cheap, independent of the model, and relative to the recording: quiet is the lowest quarter between
its background and its speech.

Without a pause, stretches overlap, and :mod:`asr.transcription.overlap` merges their words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr.audio.conditioning import remove_rumble
from asr.audio.read import SAMPLE_RATE, Samples

LONGEST = 36.0  # seconds; shorter recordings stay whole, as all of LibriSpeech do

_HOP = 160  # samples from one level to the next, 10 ms
_PER_SECOND = SAMPLE_RATE // _HOP
_SMOOTHED = 5  # levels averaged: smooths glottal pulses and the gaps between them

# In levels:
_VIEW = int(LONGEST * _PER_SECOND)  # lookahead of a cut
_LEAST = 5 * _PER_SECOND  # least length of a stretch, unless a break ends it
_MOST = 20 * _PER_SECOND  # greatest length of a stretch
_OVERLAP = 4 * _PER_SECOND  # of stretches without a pause between them
_PAUSE = _PER_SECOND // 5  # the shortest; a stop's closure is shorter
_BREAK = (
    2 * _PER_SECOND
)  # a pause that always ends a stretch: training utterances have no longer ones
_MARGIN = _PER_SECOND // 2  # of a pause, kept at either side of speech

_DIGITAL_SILENCE = 2e-6  # from the lowest sample to the highest; 24 bits resolve 1.2e-7

# In decibels:
_NOTHING = -100.0  # of full scale; below, features show the floor added to the power
_RANGE = 48.0  # greatest distance of background and speech; noise gates leave no background
_STEADY = 6.0  # range in which no pause can be told from speech: it drowns in noise
_LOUD = -60.0  # of full scale, the least level of noise in which speech may drown
_ABOVE_BACKGROUND = 3.0  # fluctuation of a background

Levels = NDArray[np.float64]


@dataclass(frozen=True)
class Stretch:
    """A part of a recording that is decoded as one utterance."""

    first: int  # index of its first sample in the recording
    samples: Samples  # 16 kHz

    @property
    def start(self) -> float:
        """Seconds from the beginning of the recording."""
        return self.first / SAMPLE_RATE

    @property
    def end(self) -> float:
        """Seconds from the beginning of the recording."""
        return (self.first + len(self.samples)) / SAMPLE_RATE


def split(pieces: Iterable[Samples], overlap: bool = True) -> Iterator[Stretch]:
    """Cuts a recording, reading ahead by at most :data:`LONGEST`.

    A recording of up to :data:`LONGEST` is one stretch. In a longer one, each cut is in the longest
    pause that makes a stretch of 5 to 20 s, or in the first pause of 2 s or more; half a second of
    it stays at either side. Without a pause, stretches are 20 s long and overlap by 4 s. Silent
    stretches are dropped.

    Args:
        pieces: 16 kHz samples, each of any length.
        overlap: False to cut at the quietest moment instead of overlapping.
    """
    unread = iter(pieces)
    held = np.zeros(0, np.float32)
    first = 0  # index in the recording of the first sample of ``held``
    whole = _VIEW * _HOP
    while True:
        arrived = [held]
        missing = whole + 1 - len(held)  # one sample more tells whether the recording goes on
        while missing > 0 and (piece := next(unread, None)) is not None:
            arrived.append(piece)
            missing -= len(piece)
        held = np.concatenate(arrived)
        final = len(held) <= whole
        if final and first == 0:
            begin, end, following = 0, len(held), len(held)
        else:
            begin, end, following = _next_cut(held[:whole], final, overlap)
        if not is_silent(held[begin:end]):
            yield Stretch(first + begin, held[begin:end].copy())
        if final and following >= len(held):
            return
        held = held[following:]
        first += following


def is_silent(samples: Samples) -> bool:
    """Whether there is digital silence. Noise is left to the recogniser, which rejects it."""
    return len(samples) == 0 or float(samples.max() - samples.min()) < _DIGITAL_SILENCE


def levels(samples: Samples) -> Levels:
    """Levels every 10 ms in decibels of full scale, shape (samples // 160,).

    Pre-emphasis attenuates rumble and hum and raises fricatives.
    """
    count = len(samples) // _HOP
    emphasised = samples.astype(np.float64)
    emphasised[1:] -= 0.97 * emphasised[:-1]
    power = np.square(emphasised[: count * _HOP]).reshape(count, _HOP).mean(axis=1)
    around = np.pad(power, _SMOOTHED // 2)
    smooth = sum(around[shift : shift + count] for shift in range(_SMOOTHED)) / _SMOOTHED
    return 10.0 * np.log10(np.maximum(smooth, 10 ** (_NOTHING / 10)))


def quiet(found: Levels) -> NDArray[np.bool_]:
    """Where :func:`levels` are in the lowest quarter between background and speech."""
    low, high = _spread(found)
    return found <= low + max((high - low) / 4, _ABOVE_BACKGROUND)


def _next_cut(samples: Samples, final: bool, overlap: bool) -> tuple[int, int, int]:
    """Start and end of the next stretch in ``samples``, and the start of the remainder.

    Args:
        samples: the recording from the last cut on.
        final: whether the recording ends with these.
        overlap: whether stretches may overlap.
    """
    found = levels(remove_rumble(samples))
    count = len(found)
    pauses = _pauses(found)
    begin = 0
    if pauses and pauses[0][0] == 0:
        silence = pauses.pop(0)[1]
        begin = max(0, silence - _MARGIN)
        if final and silence == count:
            return 0, 0, len(samples)
        if not final and begin > _MARGIN:  # the lookahead from there would be too short
            return 0, 0, begin * _HOP
    breaks = [start for start, stop in pauses if stop - start >= _BREAK]
    if breaks and breaks[0] <= begin + _MOST:
        end = following = breaks[0] + _MARGIN
    elif final and count - begin <= _MOST:
        end = following = count
        if pauses and pauses[-1][1] == count:
            end = min(count, pauses[-1][0] + _MARGIN)
    else:
        least, most = begin + _LEAST, begin + _MOST
        if final:  # the last stretch needs its least length
            most = min(most, count - _LEAST)
        within = [(start, stop) for start, stop in pauses if start < most and stop > least]
        if within:
            start, stop = max(within, key=lambda pause: (pause[1] - pause[0], pause[0]))
            following = min(max((start + stop) // 2, least), most)
            end = min(following, start + _MARGIN)
        elif overlap:
            end = begin + _MOST
            following = end - _OVERLAP
        else:
            end = following = least + int(found[least:most].argmin())
    if final and following == count:  # the end includes the rest of a hop
        return begin * _HOP, len(samples) if end == count else end * _HOP, len(samples)
    return begin * _HOP, end * _HOP, following * _HOP


def _pauses(found: Levels) -> list[tuple[int, int]]:
    """Pauses as ranges of levels."""
    if len(found) == 0:
        return []
    low, high = _spread(found)
    if high - low < _STEADY and high > _LOUD:
        return []
    edges = np.flatnonzero(np.diff(np.concatenate([[False], quiet(found), [False]])))
    runs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [(start, stop) for start, stop in runs if stop - start >= _PAUSE]


def _spread(found: Levels) -> tuple[float, float]:
    """The levels of background and speech, robust to a small share of speech."""
    low, high = np.percentile(found, [5, 99])
    return max(float(low), float(high) - _RANGE), float(high)
