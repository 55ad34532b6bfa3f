"""Where the results of long work go: looked at before it, and no one lost for another."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from asr.cli.messages import complain
from asr.errors import AsrError


def check_output(path: Path, is_folder: bool = False) -> None:
    """Makes sure, before long work, that its output has a place.

    Raises:
        AsrError: a file or a folder is in its way, or nothing may be written there.
    """
    if os.path.exists(path) and os.path.isdir(path) != is_folder:
        why = "it is a file; name a folder" if is_folder else "it is a folder; name a file"
        raise AsrError(f"{path} can't be written: {why}")
    if os.path.exists(path) and not is_folder:
        return  # it may be a device or a pipe, whose folder does not matter
    places = [path, *path.parents] if is_folder else path.parents
    place = next((place for place in places if os.path.exists(place)), Path())
    if not os.path.isdir(place):
        raise AsrError(f"{path} can't be written: {place} is a file, not a folder")
    if not os.access(place, os.W_OK | os.X_OK):
        raise AsrError(f"{path} can't be written: the folder {place} may not be written to")


def write_all(outputs: Iterable[Callable[[], object]]) -> bool:
    """Writes outputs; one that can't be written is named and stops no other.

    Returns:
        Whether all have been written.
    """
    written = True
    for write in outputs:
        try:
            write()
        except AsrError as error:
            complain(error)
            written = False
    return written
