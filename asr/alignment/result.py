"""The result of an alignment: words and units with times and confidences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from asr.alignment.text_units import Spelling
from asr.alignment.viterbi import Spans

# A word before a pause lasts this long behind its last unit: the median by energy at pauses of
# dev-clean is 83 ms.
_LINGER = 0.08  # seconds
_PAUSE = 0.16  # seconds, the shortest pause between words; a stop's closure is shorter


@dataclass(frozen=True)
class AlignedUnit:
    """A unit of the model, such as a character, with its time."""

    text: str
    start: float  # seconds
    end: float  # seconds
    confidence: float  # 0 to 1, the geometric mean of the unit's probability in its frames


@dataclass(frozen=True)
class AlignedWord:
    """A word of the text, in normal form, with its time."""

    text: str
    start: float  # seconds
    end: float  # seconds
    confidence: float  # 0 to 1, the geometric mean of its units' confidences
    units: tuple[AlignedUnit, ...]


@dataclass(frozen=True)
class Alignment:
    """A recording aligned with its text."""

    audio_filepath: str
    duration: float  # seconds
    text: str  # in normal form
    score: float  # natural logarithm of the probability of the best path
    unit_kind: str  # characters, bpe or phones
    words: tuple[AlignedWord, ...]

    def to_json(self) -> dict[str, Any]:
        """All fields, with words and units as nested objects."""
        return asdict(self)


def time_words(
    spelling: Spelling,
    names: Sequence[str],
    spans: Spans,
    seconds_per_frame: float,
    duration: float,
) -> tuple[AlignedWord, ...]:
    """Converts the frames of units to times of words.

    A CTC model emits a unit in one or two frames near the start of its sound, then blanks. So a
    word begins with the first frame of its first unit. It ends where the next word begins, unless
    its last unit lies 160 ms or more before: then a pause follows, and the word ends 80 ms behind
    its last unit. Word separators have no times. Within a word, a unit lasts until the next begins.

    Args:
        spelling: the words and their units.
        names: the tokenizer's units.
        spans: the frames of the units.
        seconds_per_frame: how long a frame lasts.
        duration: of the recording in seconds, the latest end of a word.
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
