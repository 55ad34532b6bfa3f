"""TRN, NIST's transcript format: a line for each recording, its name in parentheses behind it."""

from __future__ import annotations

from asr.transcript import Transcript
from asr.transcription.writers.names import recording_name


def to_trn(transcript: Transcript) -> str:
    """One line; where channels are apart one for each, with ``-`` and its number in the name.

    Source: the manual of NIST's sclite (SCTK), "infmts".
    """
    name = recording_name(transcript)
    lines = []
    for channel in transcript.channels:
        texts = [s.text for s in transcript.segments if s.channel == channel and s.text]
        lines.append(" ".join([*texts, f"({name if channel is None else f'{name}-{channel}'})"]))
    return "".join(line + "\n" for line in lines)
