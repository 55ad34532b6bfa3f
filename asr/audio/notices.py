"""Notices about recordings: a missing end, a header without a length, sound without words."""

from __future__ import annotations

from asr.errors import AsrError
from asr.transcript import Notice


class IncompleteAudio(AsrError):
    """The end of a recording is missing."""


def cut_off(name: object, read: float, promised: float | None = None) -> Notice:
    """The notice of a file whose end is missing.

    Args:
        name: of the file.
        read: seconds of audio that are there.
        promised: seconds that the file should hold, if known.
    """
    whole = "" if promised is None else f" of {promised:.1f} s"
    return Notice(
        f"{name} is cut off or damaged: {read:.1f} s{whole} were read, the rest is missing", True
    )


def raise_if_incomplete(notices: list[Notice]) -> None:
    """Makes an error of the first notice of missing audio.

    Raises:
        IncompleteAudio: there is one.
    """
    for notice in notices:
        if notice.incomplete:
            raise IncompleteAudio(notice.text)


def without_words(name: object) -> Notice:
    """The notice of a recording whose transcript is empty."""
    return Notice(f"{name} has sound, but no words were recognised in it", False)


def without_length(name: object) -> Notice:
    """The notice of a header that holds no usable length."""
    return Notice(
        f"the header of {name} holds no true length: all audio up to the end of the file was read",
        False,
    )
