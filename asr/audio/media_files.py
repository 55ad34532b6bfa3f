"""Finding audio files: extensions of readable formats, and walking folders."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from asr.runtime.files import walk_files

# What a folder is searched for: the formats that libsndfile reads, then those of FFmpeg.
EXTENSIONS = frozenset(
    [
        *(".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".nist", ".oga", ".ogg"),
        *(".opus", ".rf64", ".snd", ".sph", ".w64", ".wav"),
        *(
            ".3g2",
            ".3gp",
            ".aac",
            ".ac3",
            ".amr",
            ".ape",
            ".asf",
            ".avi",
            ".dss",
            ".eac3",
        ),
        *(".m2ts", ".m4a", ".m4b", ".m4v", ".mka", ".mkv", ".mov", ".mp2", ".mp4", ".mpeg"),
        *(".mpg", ".mts", ".spx", ".tta", ".webm", ".weba", ".wma", ".wmv", ".wv"),
    ]
)

# Extensions of recordings that nothing here reads: encrypted, or of a secret codec.
UNREADABLE = frozenset([".aa", ".aax", ".ds2", ".m4p", ".silk"])


def find_audio(folder: str | Path, extensions: Collection[str] = EXTENSIONS) -> list[Path]:
    """All files below ``folder`` with the extension of an audio format, sorted by path.

    Links to folders are followed, each folder is searched once.
    """
    found = (path for path in walk_files(folder) if path.suffix.lower() in extensions)
    return sorted(path for path in found if os.path.isfile(path))
