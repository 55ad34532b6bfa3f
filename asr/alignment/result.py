"""What an alignment says: words and units with their times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asr.alignment.text_units import Spelling
from asr.alignment.viterbi import Spans

# How long a word before a pause sounds on behind its last unit: 83 ms in the median at pauses of
# dev-clean, by the energy.
_LINGER = 0.08  # seconds
_PAUSE = 0.16  # seconds between units that make a pause; less is a stop's closure or no gap at all


@dataclass(frozen=True)
class AlignedUnit:
    """A unit of the model, such as a character, and when it was said."""

    text: str
    start: float  # seconds
    end: float  # seconds
    confidence: float  # 0 to 1: the mean probability (geometric) of the unit in its frames


@dataclass(frozen=True)
class AlignedWord:
    """A word of the text, in normal form, and when it was said."""

    text: str
    start: float  # seconds
    end: float  # seconds
    confidence: float  # 0 to 1: the mean (geometric) of those of its units
    units: tuple[AlignedUnit, ...]


@dataclass(frozen=True)
class Alignment:
    """When the words of a text were said in a recording."""

    audio_filepath: str
    duration: float  # seconds
    text: str  # in normal form
    score: float  # natural logarithm of the probability of the alignment
    unit_kind: str  # what the units are: characters, bpe or phones
    words: tuple[AlignedWord, ...]


def timed(
    spelling: Spelling,
    names: Sequence[str],
    spans: Spans,
    seconds_per_frame: float,
    duration: float,
) -> tuple[AlignedWord, ...]:
    """Frames to times.

    A CTC model emits a unit in one or two frames, about where its sound begins, and blanks until
    the next. So a word begins with the first frame of its first unit. It ends where the next word
    begins, unless there are 160 ms or more between its last unit and that: then there is a pause,
    which belongs to no word, and the word ends 80 ms behind its last unit. What the model emits
    between words says nothing of times. Within a word each unit lasts until the next begins.

    Args:
        spelling: the words and their units.
        names: the tokenizer's units.
        spans: the frames of the units.
        seconds_per_frame: how long a frame lasts.
        duration: of the recording in seconds; nothing ends behind it.
    """

    def seconds(time: float) -> float:
        return round(min(time, duration), 3)

    starts = [seconds(frame * seconds_per_frame) for frame in spans.start.tolist()]
    probabilities = np.exp(spans.log_prob).tolist()
    words = []
    for number, (word, (first, behind)) in enumerate(
        zip(spelling.words, spelling.spans, strict=True)
    ):
        behind_last = float(spans.end[behind - 1]) * seconds_per_frame
        end = seconds(behind_last + _LINGER)
        if number + 1 < len(spelling.words):
            following = starts[spelling.spans[number + 1][0]]
            if following - behind_last < _PAUSE:
                end = following
        edges = [*starts[first:behind], end]
        units = tuple(
            AlignedUnit(
                names[spelling.units[first + i]],
                edges[i],
                edges[i + 1],
                round(probabilities[first + i], 4),
            )
            for i in range(behind - first)
        )
        confidence = math.exp(spans.log_prob[first:behind].mean())
        words.append(AlignedWord(word, edges[0], end, round(confidence, 4), units))
    return tuple(words)
