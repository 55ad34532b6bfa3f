"""Words to subtitles: what stands on the screen at a time, and how it is broken into lines.

The limits are those usual for adult programmes: two lines of 42 characters, 7 seconds at most
(Netflix' timed text style guide, English). Text without punctuation has nothing but pauses to be
broken at.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from asr.transcript import Transcript, Word

LINES = 2
WIDTH = 42  # characters of a line

_LONGEST = 7.0  # seconds that a cue stands
_SHORTEST = 1.0  # seconds that a cue stands, unless the next one comes
_SILENCE = 1.5  # seconds without a word that always end a cue
_TICK = 0.001  # seconds, what the formats tell apart
_EVEN = 0.1  # seconds of pause that are worth as much as ending in the middle


@dataclass(frozen=True)
class Cue:
    """A subtitle."""

    start: float  # seconds
    end: float  # seconds
    lines: tuple[str, ...]
    channel: int | None = None


def cues(transcript: Transcript, width: int = WIDTH) -> list[Cue]:
    """The subtitles of a transcript, by start; those of one channel don't overlap.

    Words that make too long a subtitle are parted where they pause longest, the more willingly the
    nearer that is to the middle, and the parts likewise.

    Args:
        width: characters of a line. A longer word stands on a line by itself.
    """
    found = []
    for channel in transcript.channels:
        words = [w for s in transcript.segments if s.channel == channel for w in s.words]
        groups = [group for run in _runs(words) for group in _parted(run, width)]
        starts = [group[0].start for group in groups]
        for group, start, limit in zip(groups, starts, [*starts[1:], math.inf], strict=False):
            end = min(max(group[-1].end, start + _SHORTEST), start + _LONGEST, limit)
            found.append(Cue(start, max(end, start + _TICK), _lines(group, width), channel))
    return sorted(found, key=lambda cue: cue.start)


def clock(seconds: float, separator: str) -> str:
    """``hh:mm:ss``, the separator, milliseconds."""
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}{separator}{milliseconds % 1000:03}"


def _runs(words: Sequence[Word]) -> Iterator[Sequence[Word]]:
    """Words between silences."""
    begin = 0
    for i in range(1, len(words) + 1):
        if i == len(words) or words[i].start - words[i - 1].end >= _SILENCE:
            yield words[begin:i]
            begin = i


def _parted(words: Sequence[Word], width: int) -> Iterator[Sequence[Word]]:
    """The words in groups that fit."""
    fits = len(_fill(words, width)) <= LINES and words[-1].end - words[0].start <= _LONGEST
    if len(words) == 1 or fits:
        yield words
        return
    lengths = [len(word.text) + 1 for word in words]
    total = sum(lengths)
    best, place, before = -1.0, 1, 0
    for i in range(1, len(words)):
        before += lengths[i - 1]
        pause = min(max(words[i].start - words[i - 1].end, 0.0), _SILENCE)
        worth = (pause + _EVEN) * min(before, total - before)
        if worth > best:
            best, place = worth, i
    yield from _parted(words[:place], width)
    yield from _parted(words[place:], width)


def _fill(words: Sequence[Word], width: int) -> list[str]:
    """As many words on each line as fit."""
    lines = [words[0].text]
    for word in words[1:]:
        if len(lines[-1]) + 1 + len(word.text) <= width:
            lines[-1] += " " + word.text
        else:
            lines.append(word.text)
    return lines


def _lines(words: Sequence[Word], width: int) -> tuple[str, ...]:
    """One line where that is enough, else two as even as can be."""
    filled = _fill(words, width)
    if len(filled) != LINES:
        return tuple(filled)
    texts = [word.text for word in words]
    broken = [(" ".join(texts[:i]), " ".join(texts[i:])) for i in range(1, len(texts))]
    return min(broken, key=lambda lines: max(map(len, lines)))
