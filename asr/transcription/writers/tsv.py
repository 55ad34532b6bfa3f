"""Tab-separated values: a row for each segment."""

from __future__ import annotations

from asr.transcript import Transcript

_HEADER = "start\tend\tchannel\tconfidence\ttext\n"


def to_tsv(transcript: Transcript) -> str:
    """A header and a row for each segment: start and end in seconds, channel, confidence, text.

    The channel is 1 where channels are mixed, the confidence empty where there are no words.
    """
    rows = [
        f"{segment.start:.3f}\t{segment.end:.3f}\t{segment.channel or 1}\t"
        f"{'' if segment.confidence is None else f'{segment.confidence:.4f}'}\t{segment.text}\n"
        for segment in transcript.segments
    ]
    return _HEADER + "".join(rows)
