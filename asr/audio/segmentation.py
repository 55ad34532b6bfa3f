"""Long audio to stretches that a model can hear as one utterance each.

A model knows utterances of some seconds: their features are normalised over the whole
(:mod:`asr.features.log_mel`), and each direction of it reads to the end. So a recording is cut at
its pauses, where nothing is said that a cut could harm.

Pauses are found by energy alone. Neither a voice activity detector nor the model's own blanks
would serve better: what is wanted is not where speech is, which the recogniser tells by itself,
but one quiet place every few seconds, and a wrong guess costs nothing as long as the place is
quiet. A detector is one more network to install and to trust, and must be right about music and
voices that it never heard. Blanks are not there before the model has heard the audio, normalised
over a stretch that is yet to be chosen, and stand inside words too. Levels cost next to nothing, do
not depend on the model, and adapt to the recording: quiet is the lowest quarter of what lies
between its background and its speech.

Where nobody pauses, stretches overlap, and :mod:`asr.transcription.overlap` joins what was heard in
both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr.audio.read import SAMPLE_RATE, Samples

LONGEST = 36.0  # seconds; a recording that is no longer stays whole, as all of LibriSpeech's do

_HOP = 160  # samples from one level to the next, 10 ms
_PER_SECOND = SAMPLE_RATE // _HOP
_SMOOTHED = 5  # levels that are averaged: a glottal pulse is no burst, the gap behind it no pause

# In levels:
_VIEW = int(LONGEST * _PER_SECOND)  # how far a cut is planned ahead
_LEAST = 5 * _PER_SECOND  # of a stretch, unless a break ends it
_MOST = 20 * _PER_SECOND  # of a stretch
_OVERLAP = 4 * _PER_SECOND  # of two stretches without a pause between them
_PAUSE = _PER_SECOND // 5  # the shortest; a stop's closure is shorter
_BREAK = 2 * _PER_SECOND  # a pause that always ends a stretch: the model knows no longer ones
_MARGIN = _PER_SECOND // 2  # how much of a pause stays at either side of speech

# In decibels:
_NOTHING = -100.0  # of full scale; below, features show the constant that is added to the power
_RANGE = 48.0  # below the speech, how far a background counts; gates and splices leave nothing
_STEADY = 6.0  # between background and loudest: no speech is as even, its least is some 28
_ABOVE_BACKGROUND = 3.0  # what a background's own ups and downs reach

Levels = NDArray[np.float64]


@dataclass(frozen=True)
class Stretch:
    """A part of a recording that is to be heard as one utterance."""

    first: int  # sample of the recording at which it begins
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
    """Cuts a recording, reading no further ahead than :data:`LONGEST`.

    A recording of at most :data:`LONGEST` is one stretch. Of a longer one, each cut is in the
    longest pause that makes a stretch of 5 to 20 s, or in the first of 2 s or more; of longer
    silences half a second stays at either side. Where there is no pause, stretches are 20 s long
    and overlap by 4 s. Stretches in which nothing can have been said are left out.

    Args:
        pieces: 16 kHz samples, each of any length.
        overlap: False to cut at the quietest moment where there is no pause.
    """
    unread = iter(pieces)
    held = np.zeros(0, np.float32)
    first = 0  # sample of the recording at which ``held`` begins
    whole = _VIEW * _HOP
    while True:
        arrived = [held]
        missing = whole + 1 - len(held)  # one more than is looked at shows whether there is more
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
    """Whether there is nothing but silence or a steady noise, so that no word can be in it.

    Of less than half a second, only silence can be told.
    """
    found = levels(samples)
    if len(found) == 0 or found.max() <= _NOTHING:
        return True
    low, high = _spread(found)
    return len(found) >= _PER_SECOND // 2 and high - low < _STEADY


def levels(samples: Samples) -> Levels:
    """How loud it is every 10 ms, in decibels of full scale, shape (samples // 160,).

    After a pre-emphasis, which counts rumble and hum for little and fricatives for much.
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
    """Where the next stretch begins and ends in ``samples``, and where what follows begins.

    Args:
        samples: the recording from the last cut on.
        final: whether it ends with these.
        overlap: whether stretches may overlap.
    """
    found = levels(samples)
    count = len(found)
    pauses = _pauses(found)
    begin = 0
    if pauses and pauses[0][0] == 0:
        silence = pauses.pop(0)[1]
        begin = max(0, silence - _MARGIN)
        if final and silence == count:
            return 0, 0, len(samples)
        if not final and begin > _MARGIN:  # too little is in view to plan from there
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
        if final:  # leave enough for the last one
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
    if final and following == count:  # with what is left of a hop
        return begin * _HOP, len(samples) if end == count else end * _HOP, len(samples)
    return begin * _HOP, end * _HOP, following * _HOP


def _pauses(found: Levels) -> list[tuple[int, int]]:
    """Where it is quiet for long enough: first and behind the last level of each pause."""
    if len(found) == 0:
        return []
    edges = np.flatnonzero(np.diff(np.concatenate([[False], quiet(found), [False]])))
    runs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [(start, stop) for start, stop in runs if stop - start >= _PAUSE]


def _spread(found: Levels) -> tuple[float, float]:
    """The levels of background and speech, of however little speech there is."""
    low, high = np.percentile(found, [5, 99])
    return max(float(low), float(high) - _RANGE), float(high)
