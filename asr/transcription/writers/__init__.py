"""How transcripts are written: one small module for each format.

A writer is a function from a transcript to the text of a file. Where channels were transcribed
apart, each format says which channel spoke.
"""

from __future__ import annotations

from collections.abc import Callable

from asr.transcript import Transcript
from asr.transcription.writers.ctm import to_ctm
from asr.transcription.writers.json import to_json
from asr.transcription.writers.srt import to_srt
from asr.transcription.writers.trn import to_trn
from asr.transcription.writers.tsv import to_tsv
from asr.transcription.writers.txt import to_text
from asr.transcription.writers.vtt import to_vtt

WRITERS: dict[str, Callable[[Transcript], str]] = {
    "txt": to_text,
    "json": to_json,
    "srt": to_srt,
    "vtt": to_vtt,
    "tsv": to_tsv,
    "ctm": to_ctm,
    "trn": to_trn,
}

__all__ = ["WRITERS", "to_ctm", "to_json", "to_srt", "to_text", "to_trn", "to_tsv", "to_vtt"]
