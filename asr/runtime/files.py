"""Atomic writing of files, their digests, and error texts."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from asr.errors import AsrError

# With the marks at which Python and browsers end lines.
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yields a temporary path that replaces ``path`` if the block succeeds.

    The data reaches the disk before the name changes: a kill or a power cut leaves the whole old or
    the whole new file. For a device or a pipe, ``path`` itself is yielded.

    Raises:
        AsrError: the file can't be written: no such folder, no permission, no space.
    """
    path = Path(path)
    target = Path(os.path.realpath(path))  # a symbolic link stays one
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
        AsrError: as :func:`atomic`, or the text holds surrogates, which UTF-8 can't encode.
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
    """A path as printable text; bytes that are no UTF-8 become escapes."""
    return str(path).encode("utf-8", "backslashreplace").decode("utf-8")


def one_line(text: str) -> str:
    """Text with escapes for control characters, which would end a line or a field."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def remove(path: str | Path) -> None:
    """Deletes a file if it exists."""
    try:
        Path(path).unlink(missing_ok=True)
    except OSError as error:
        raise AsrError(f"{path} can't be deleted: {error.strerror or error}") from error


def digest(path: str | Path) -> str:
    """The SHA-256 of a file in hexadecimal."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AsrError(f"{path} {why_unreadable(error)}") from error


def walk_files(top: str | Path) -> Iterator[Path]:
    """All files below a folder, without the ``._`` files that macOS puts beside others.

    Links to folders are followed; each folder is searched once, so that loops of links end.
    """
    searched: set[tuple[int, int]] = set()
    for folder, folders, files in os.walk(top, followlinks=True):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in searched:
            folders.clear()
            continue
        searched.add((status.st_dev, status.st_ino))
        # Folders themselves come before links to them.
        folders.sort(key=lambda name: (os.path.islink(os.path.join(folder, name)), name))
        yield from (Path(folder, name) for name in sorted(files) if not name.startswith("._"))


def why_unreadable(error: OSError) -> str:
    """The cause of a read error in a few words: ``does not exist``, ``is a folder``, ..."""
    if isinstance(error, FileNotFoundError):
        return "does not exist"
    if isinstance(error, IsADirectoryError):
        return "is a folder, not a file"
    if isinstance(error, PermissionError):
        return "may not be read"
    return f"can't be read ({error.strerror or error})"


def _is_stream(path: Path) -> bool:
    """Whether ``path`` is a device, a pipe, or an alias of an open file such as /dev/stdout."""
    folder = f"{os.path.realpath(path.parent)}/"
    if os.path.islink(path) and folder.startswith(("/dev/", "/proc/")):
        return True
    return os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path))
