"""Alignment output formats, one function each: CTM, JSON, TextGrid."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence

from asr.alignment.result import AlignedUnit, AlignedWord, Alignment
from asr.config.choices import ALIGNMENT_FORMATS


def to_ctm(alignment: Alignment, name: str) -> str:
    """NIST's CTM: recording, channel, start, duration, word, confidence."""
    recording = "_".join(name.split())  # white space separates fields
    return "".join(
        f"{recording} 1 {word.start:.3f} {word.end - word.start:.3f} {word.text} "
        f"{word.confidence:.4f}\n"
        for word in alignment.words
    )


def to_json(alignment: Alignment, name: str) -> str:
    """All fields as one JSON object on one line."""
    return json.dumps({"id": name, **alignment.to_json()}, ensure_ascii=False) + "\n"


def to_textgrid(alignment: Alignment, name: str) -> str:
    """Praat's long text format, with a tier of words and one of units.

    A tier covers the whole recording: pauses are intervals with empty labels.
    """
    end = round(alignment.duration, 3)
    words = _tiled(alignment.words, end)
    units = _tiled([unit for word in alignment.words for unit in word.units], end)
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {end}",
        "tiers? <exists>",
        "size = 2",
        "item []:",
        *_tier(1, "words", words, end),
        *_tier(2, alignment.unit_kind, units, end),
    ]
    return "\n".join(lines) + "\n"


# By file extension; each takes an alignment and the name of the recording.
WRITERS: dict[str, Callable[[Alignment, str], str]] = dict(
    zip(ALIGNMENT_FORMATS, (to_ctm, to_json, to_textgrid), strict=True)
)

_Interval = tuple[float, float, str]


def _tiled(parts: Iterable[AlignedWord | AlignedUnit], end: float) -> list[_Interval]:
    """Start, end and label of all intervals from 0 to ``end``."""
    intervals = []
    at = 0.0
    for part in parts:
        if part.start > at:
            intervals.append((at, part.start, ""))
        intervals.append((part.start, part.end, part.text))
        at = part.end
    if end > at:
        intervals.append((at, end, ""))
    return intervals


def _tier(number: int, name: str, intervals: Sequence[_Interval], end: float) -> list[str]:
    lines = [
        f"    item [{number}]:",
        '        class = "IntervalTier"',
        f'        name = "{name}"',
        "        xmin = 0",
        f"        xmax = {end}",
        f"        intervals: size = {len(intervals)}",
    ]
    for position, (start, stop, label) in enumerate(intervals, 1):
        quoted = label.replace('"', '""')
        lines += [
            f"        intervals [{position}]:",
            f"            xmin = {start}",
            f"            xmax = {stop}",
            f'            text = "{quoted}"',
        ]
    return lines
