"""Writing files so that a reader sees the old one or the new one, never half of one."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from asr.errors import AsrError


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yields a temporary path that takes the place of ``path`` if the block succeeds.

    The data is on disk before the name changes, so a kill or a power cut at any point leaves a
    whole file under ``path``, the old or the new one. A device or a pipe stays what it is: there
    ``path`` itself is yielded.

    Raises:
        AsrError: the file can't be written: no such place, no right to, no room.
    """
    path = Path(path)
    target = Path(os.path.realpath(path))  # a link goes on leading there
    temporary = target.parent / f".{secrets.token_hex(8)}.tmp"  # short, however long the name is
    try:
        if _is_stream(path):
            yield path
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise AsrError(f"{path} can't be written: {error.strerror or error}") from error


def write_text(path: str | Path, text: str) -> None:
    """Writes ``text`` to ``path`` as UTF-8, atomically.

    Raises:
        AsrError: as :func:`atomic`, or the text holds what UTF-8 has no bytes for.
    """
    try:
        with atomic(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except UnicodeEncodeError as error:
        raise AsrError(
            f"{path} can't be written: {printable(text[error.start : error.end])} in its text is "
            "no character of UTF-8"
        ) from error


def printable(path: str | Path) -> str:
    """A path as text, even if its bytes are none."""
    return str(path).encode("utf-8", "backslashreplace").decode("utf-8")


def remove(path: str | Path) -> None:
    """Deletes a file, if it is there."""
    try:
        Path(path).unlink(missing_ok=True)
    except OSError as error:
        raise AsrError(f"{path} can't be deleted: {error.strerror or error}") from error


def digest(path: str | Path) -> str:
    """The SHA-256 of a file, as hexadecimal digits."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AsrError(f"{path} {why_unreadable(error)}") from error


def why_unreadable(error: OSError) -> str:
    """What went wrong with a file, in a few words: ``does not exist``, ``is a folder``, ..."""
    if isinstance(error, FileNotFoundError):
        return "does not exist"
    if isinstance(error, IsADirectoryError):
        return "is a folder, not a file"
    if isinstance(error, PermissionError):
        return "may not be read"
    return f"can't be read ({error.strerror or error})"


def _is_stream(path: Path) -> bool:
    """Whether it is a device, a pipe, or a name for what the process has open: /dev/stdout."""
    folder = f"{os.path.realpath(path.parent)}/"
    if os.path.islink(path) and folder.startswith(("/dev/", "/proc/")):
        return True
    return os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path))
