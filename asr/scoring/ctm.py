"""CTM, NIST's time-marked words, and their assignment to the segments of an STM file.

A line is ``recording channel start duration word [confidence]``; ``;;`` begins a comment. Lines of
``<ALT_BEGIN>``, ``<ALT>`` and ``<ALT_END>`` enclose alternatives. Source: the manual of sclite
(SCTK), "infmts"; the assignment is that of src/sclite/stm2ctm.c.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from asr.errors import AsrError
from asr.scoring.stm import Segment, seconds

_BEGIN, _NEXT, _END = "<alt_begin>", "<alt>", "<alt_end>"
_FIELDS = (5, 6, 7, 8)  # a type and a speaker may follow the confidence


@dataclass(frozen=True)
class TimedText:
    """A word, or several alternatives in braces, with its time."""

    recording: str
    channel: str
    start: float  # seconds
    middle: float  # seconds; the latest of alternatives
    text: str


def parse_ctm(lines: Iterable[tuple[int, str]], path: object) -> list[TimedText]:
    """Parses numbered lines without comments.

    Raises:
        AsrError: a line is no word, or alternatives are not enclosed.
    """
    items: list[TimedText] = []
    group: list[TimedText] = []  # the words of the alternatives that are open
    parts: list[str] | None = None
    for number, line in lines:
        where = f"line {number} of {path}"
        fields = line.split()
        if len(fields) not in _FIELDS:
            raise AsrError(f"{where} is no CTM word: recording, channel, start, duration, word")
        recording, channel, start, duration, word = fields[:5]
        mark = word.lower()
        if mark == _BEGIN and parts is None:
            parts, group = ["{"], []
        elif mark == _NEXT and parts is not None:
            parts.append("/")
        elif mark == _END and parts is not None:
            if group:
                middle = max(item.middle for item in group)
                text = " ".join([*parts, "}"])
                items.append(TimedText(recording, channel, group[0].start, middle, text))
            parts = None
        elif mark in (_BEGIN, _NEXT, _END):
            raise AsrError(f"{where} has {word} out of place")
        else:
            begin, length = seconds(start), seconds(duration)
            if not (begin >= 0 and length >= 0):
                raise AsrError(f"{where} has no start and duration in seconds")
            item = TimedText(recording, channel, begin, begin + length / 2, word)
            if parts is None:
                items.append(item)
            else:
                parts.append(word)
                group.append(item)
    if parts is not None:
        raise AsrError(f"{path} ends within <ALT_BEGIN>; close it with <ALT_END>")
    return items


@dataclass(frozen=True)
class Assignment:
    """Words by the segments that they belong to."""

    texts: Sequence[str]  # of each segment
    missing: Sequence[str]  # recordings and channels of segments without any word
    extra: Sequence[str]  # recordings and channels of words without any segment


def assign(segments: Sequence[Segment], words: Sequence[TimedText]) -> Assignment:
    """Assigns each word to the first segment of its channel that ends behind the word's middle.

    Words behind the last segment belong to that one. Recordings and channels match without regard
    to case.
    """
    by_channel: dict[tuple[str, str], list[int]] = defaultdict(list)
    for index, segment in enumerate(segments):
        by_channel[_key(segment)].append(index)
    words_of: dict[tuple[str, str], list[TimedText]] = defaultdict(list)
    for word in words:
        words_of[_key(word)].append(word)
    texts = [""] * len(segments)
    missing = []
    for key, indices in by_channel.items():
        indices.sort(key=lambda index: segments[index].start)
        found = sorted(words_of[key], key=lambda word: word.start)
        if not found:
            missing.append(_name(segments[indices[0]]))
        for index, text in _cut([segments[index] for index in indices], found):
            texts[indices[index]] = text
    extra = [_name(found[0]) for key, found in words_of.items() if found and key not in by_channel]
    return Assignment(texts, missing, extra)


def _cut(segments: Sequence[Segment], words: Sequence[TimedText]) -> Iterator[tuple[int, str]]:
    position = 0
    for index, segment in enumerate(segments):
        start = position
        is_last = index == len(segments) - 1
        while position < len(words) and (is_last or words[position].middle < segment.end):
            position += 1
        yield index, " ".join(word.text for word in words[start:position])


def _key(item: Segment | TimedText) -> tuple[str, str]:
    return item.recording.casefold(), item.channel.casefold()


def _name(item: Segment | TimedText) -> str:
    return f"channel {item.channel} of {item.recording}"
