"""STM, NIST's segment time marks: who said what from when to when.

A line is ``recording channel speaker start end [<label,label>] text``; ``;;`` begins a comment.
A text of ``ignore_time_segment_in_scoring`` excludes its segment, and the words in it, from the
score. Source: the manual of sclite (SCTK), "infmts".
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from asr.errors import AsrError

_LABELS = re.compile(r"<([^<>\s]*)>")
_EXCLUDED = re.compile("ignore_?time_?segment_?in_?scoring", re.IGNORECASE)
_FIELDS = 5  # before the labels and the text


@dataclass(frozen=True)
class Segment:
    """A stretch of a recording with its transcript."""

    recording: str
    channel: str
    speaker: str
    start: float  # seconds
    end: float
    labels: tuple[str, ...]
    text: str

    @property
    def is_excluded(self) -> bool:
        """Whether neither the segment nor the words in it are scored."""
        return bool(_EXCLUDED.search(self.text))


def parse_stm(lines: Iterable[tuple[int, str]], path: object) -> list[Segment]:
    """Parses numbered lines without comments.

    Raises:
        AsrError: a line is no segment.
    """
    segments = []
    for number, line in lines:
        where = f"line {number} of {path}"
        fields = line.split(maxsplit=_FIELDS)
        if len(fields) < _FIELDS:
            raise AsrError(
                f"{where} is no STM segment: recording, channel, speaker, start, end, text"
            )
        recording, channel, speaker, start, end = fields[:_FIELDS]
        text = "".join(fields[_FIELDS:])
        labels: tuple[str, ...] = ()
        if match := _LABELS.match(text):
            labels = tuple(label for label in match[1].split(",") if label)
            text = text[match.end() :].strip()
        times = seconds(start), seconds(end)
        if not 0 <= times[0] <= times[1]:
            raise AsrError(f"{where} has no times in seconds, the end behind the start")
        segments.append(Segment(recording, channel, speaker, *times, labels, text))
    return segments


def seconds(text: str) -> float:
    """A time in seconds, NaN for anything else."""
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan
