"""How the page gets at the recordings: by a link, or with them inside."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import soundfile

from asr.audio.read import SAMPLE_RATE, load_audio
from asr.errors import AsrError
from asr.runtime.progress import track

_SMALL = frozenset([".ogg", ".oga", ".opus", ".mp3"])  # compressed already, and browsers play them
_MEDIA_TYPES = {".mp3": "audio/mpeg"}  # others are Ogg


def link(path: str, page: Path) -> str:
    """The address of a recording as seen from a page."""
    folder = page.resolve().parent
    try:
        return quote(Path(os.path.relpath(Path(path).resolve(), folder)).as_posix())
    except ValueError:  # on another drive of Windows
        return Path(path).resolve().as_uri()


def embed(paths: Sequence[str]) -> list[str]:
    """Recordings as data URLs, Opus at 16 kHz unless they are small files already.

    One that can't be read any more is empty.
    """
    return [_data_url(Path(path)) for path in track(paths, "embedding audio", len(paths))]


def _data_url(path: Path) -> str:
    extension = path.suffix.lower()
    try:
        data = path.read_bytes() if extension in _SMALL else _opus(path)
    except (AsrError, OSError):
        return ""
    kind = _MEDIA_TYPES.get(extension, "audio/ogg")
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _opus(path: Path) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, load_audio(path), SAMPLE_RATE, format="OGG", subtype="OPUS")
    return buffer.getvalue()
