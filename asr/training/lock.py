"""One training at a time for each output: a lock beside the state file."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from asr.errors import AsrError


@contextmanager
def sole_training(state: Path) -> Iterator[None]:
    """Holds the lock of the training whose state is ``state``.

    The lock belongs to the process, not to its file: it ends with the process, however that ends,
    and loader processes don't inherit it. Where no lock file can be made, or the file system has no
    locks, there is none.

    Raises:
        AsrError: another process holds the lock.
    """
    path = state.with_name(state.name + ".lock")
    file = _acquire(path)
    try:
        yield
    finally:
        if file:
            path.unlink(missing_ok=True)
            file.close()


def _acquire(path: Path) -> IO[str] | None:
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = open(path, "a+", encoding="ascii", errors="replace")  # noqa: SIM115
        except OSError:
            return None
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            with file:
                file.seek(0)
                holder = file.read().strip() or "unknown"
            raise AsrError(
                f"another training, process {holder}, writes to {path.parent}; wait for its end, "
                "stop it, or set another output"
            ) from error
        except OSError:
            file.close()
            return None
        if _is_current(file, path):
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            return file
        file.close()  # Its holder has just deleted the file: the next one is new.


def _is_current(file: IO[str], path: Path) -> bool:
    """Whether ``file`` is still the file at ``path``."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
