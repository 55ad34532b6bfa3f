"""Reading text files in UTF-8, or UTF-16 with a byte order mark."""

from __future__ import annotations

import codecs
from pathlib import Path

from asr.errors import AsrError
from asr.runtime.files import why_unreadable


def read_text(path: Path) -> str:
    """Reads a file of UTF-8, with or without byte order mark, or of UTF-16 with one.

    Raises:
        AsrError: the file can't be read or has another encoding.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AsrError(f"{path} {why_unreadable(error)}") from error
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:  # UTF-16 without a mark, UTF-32, or binary data
        raise AsrError(f"{path} is not UTF-8 text; save it as UTF-8")
    return text
