"""Names of recordings in formats whose fields are apart by spaces."""

from __future__ import annotations

import re
from pathlib import Path

from asr.transcript import Transcript

_SEPARATES = re.compile(r"[\s();]+")  # and ;; begins a comment


def recording_name(transcript: Transcript) -> str:
    """The file's name without extension, ``_`` for what would end a field."""
    path = transcript.audio_filepath
    return "stdin" if path == "-" else _SEPARATES.sub("_", Path(path).stem) or "_"
