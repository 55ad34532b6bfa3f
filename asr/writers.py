"""How transcripts are written: one small function for each format."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict

from asr.transcribe import Transcript


def to_text(transcript: Transcript) -> str:
    """The words on one line; of several readings each on its own, best first."""
    texts = [reading.text for reading in transcript.readings] or [transcript.text]
    return "".join(text + "\n" for text in texts)


def to_json(transcript: Transcript) -> str:
    """One JSON object on one line."""
    return json.dumps(asdict(transcript), ensure_ascii=False) + "\n"


WRITERS: dict[str, Callable[[Transcript], str]] = {"txt": to_text, "json": to_json}
