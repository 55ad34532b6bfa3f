"""Plain text."""

from __future__ import annotations

from asr.transcript import Segment, Transcript


def to_text(transcript: Transcript) -> str:
    """A line for each segment, so for a short file one line; of several readings all, best first.

    Where channels are apart, a line begins with its channel and a colon.
    """
    return "".join(map(to_lines, transcript.segments)) or "\n"


def to_lines(segment: Segment) -> str:
    """What :func:`to_text` writes of one segment."""
    texts = [reading.text for reading in segment.readings] or [segment.text]
    channel = "" if segment.channel is None else f"{segment.channel}: "
    return "".join(f"{channel}{text}\n" for text in texts)
