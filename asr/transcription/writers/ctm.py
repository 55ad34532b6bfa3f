"""CTM, NIST's time-marked conversation format: a line for each word."""

from __future__ import annotations

from asr.transcript import Transcript
from asr.transcription.writers.names import recording_name


def to_ctm(transcript: Transcript) -> str:
    """Recording, channel, start, duration, word, confidence; by channel, then by start.

    Times are seconds; the recording is the file's name without extension, the channel is 1 where
    channels are mixed.

    Source: the manual of NIST's sclite (SCTK), "infmts".
    """
    name = recording_name(transcript)
    rows = sorted(
        (segment.channel or 1, word.start, word.end, word.text, word.confidence)
        for segment in transcript.segments
        for word in segment.words
    )
    return "".join(
        f"{name} {channel} {start:.3f} {end - start:.3f} {text} {confidence:.4f}\n"
        for channel, start, end, text, confidence in rows
    )
