"""Copies of pipes in a temporary folder, which goes however the command ends."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from asr.errors import AsrError
from asr.runtime.interrupt import exit_on_signals


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A temporary folder, deleted at the end of the block, also after SIGTERM or SIGHUP."""
    with exit_on_signals(), tempfile.TemporaryDirectory(prefix="asr-") as folder:
        yield Path(folder)


def is_pipe(path: Path) -> bool:
    """Whether ``path`` is a FIFO, such as that of a process substitution."""
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except OSError:
        return False


def copy_pipe(path: Path, folder: Path) -> Path:
    """Copies what a FIFO gives to a file of the same name."""
    with open(path, "rb") as source:
        return copy_stream(source, folder, path.name, str(path))


def copy_stream(source: IO[bytes], folder: Path, name: str, shown: str) -> Path:
    """Copies a stream to a file in ``folder``: most audio formats need seeking.

    Raises:
        AsrError: the folder has no room.
    """
    path = Path(tempfile.mkdtemp(dir=folder), name)
    try:
        with open(path, "wb") as file:
            shutil.copyfileobj(source, file)
    except OSError as error:
        raise AsrError(
            f"{shown} can't be copied to {folder}: {error.strerror or error}; "
            "set TMPDIR to a folder with room"
        ) from error
    return path
