"""SubRip subtitles."""

from __future__ import annotations

from asr.transcript import Transcript
from asr.transcription.writers.cues import WIDTH, clock, cues


def to_srt(transcript: Transcript) -> str:
    """Numbered subtitles; where channels are apart, each begins with its channel in brackets."""
    apart = transcript.channels != (None,)
    room = len(f"[{max(c or 0 for c in transcript.channels)}] ") if apart else 0
    blocks = []
    for number, cue in enumerate(cues(transcript, WIDTH - room), 1):
        speaker = f"[{cue.channel}] " if apart else ""
        text = speaker + "\n".join(cue.lines)
        blocks.append(f"{number}\n{clock(cue.start, ',')} --> {clock(cue.end, ',')}\n{text}\n")
    return "\n".join(blocks)
