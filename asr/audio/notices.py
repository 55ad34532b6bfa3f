"""Notices about audio that was read: a missing end, a header without a length."""

from __future__ import annotations

from dataclasses import dataclass

from asr.errors import AsrError


class IncompleteAudio(AsrError):
    """The end of a recording is missing."""


@dataclass(frozen=True)
class AudioNotice:
    """A sentence about a file whose audio was read nevertheless."""

    text: str  # names the file
    incomplete: bool  # whether audio is missing, which makes a command fail


def cut_off(name: object, read: float, promised: float | None = None) -> AudioNotice:
    """The notice of a file whose end is missing.

    Args:
        name: of the file.
        read: seconds of audio that are there.
        promised: seconds that the file should hold, if known.
    """
    whole = "" if promised is None else f" of {promised:.1f} s"
    return AudioNotice(
        f"{name} is cut off or damaged: {read:.1f} s{whole} were read, the rest is missing", True
    )


def without_length(name: object) -> AudioNotice:
    """The notice of a header that holds no usable length."""
    return AudioNotice(
        f"the header of {name} holds no true length: all audio up to the end of the file was read",
        False,
    )
