"""WebVTT subtitles (W3C, WebVTT: The Web Video Text Tracks Format)."""

from __future__ import annotations

from html import escape

from asr.transcript import Transcript
from asr.transcription.writers.cues import clock, cues


def to_vtt(transcript: Transcript) -> str:
    """Subtitles; where channels are apart, each is spoken by the voice ``Channel`` and number."""
    blocks = ["WEBVTT\n"]
    for cue in cues(transcript):
        voice = "" if cue.channel is None else f"<v Channel {cue.channel}>"
        text = voice + escape("\n".join(cue.lines), quote=False)
        blocks.append(f"{clock(cue.start, '.')} --> {clock(cue.end, '.')}\n{text}\n")
    return "\n".join(blocks)
