"""Names of recordings in formats whose fields are parted by spaces: ctm and trn."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path

from asr.transcript import Transcript

_SEPARATES = re.compile(r"[\s();]+")  # and ;; begins a comment


def recording_name(transcript: Transcript) -> str:
    """The transcript's name, by default the file's name without extension, as one field."""
    if transcript.name:
        return as_field(transcript.name)
    path = transcript.audio_filepath
    return "stdin" if path == "-" else as_field(Path(path).stem)


def as_field(name: str) -> str:
    """A name with ``_`` for characters that would end a field."""
    return _SEPARATES.sub("_", name) or "_"


def unique_names(stems: Sequence[str], paths: Sequence[str]) -> list[str]:
    """A name for each of several recordings, no two alike: scorers refuse an id that comes twice.

    Args:
        stems: the files' names without extension, which are taken where they are unique.
        paths: what tells files of one stem apart, such as their paths.
    """
    names = [as_field(stem) for stem in stems]
    counts = Counter(names)
    names = [
        name if counts[name] == 1 else as_field(path)
        for name, path in zip(names, paths, strict=True)
    ]
    single = {name for name, times in Counter(names).items() if times == 1}
    taken: set[str] = set()
    for index, name in enumerate(names):
        if name not in single:
            candidates = chain([name], (f"{name}_{number}" for number in count(2)))
            names[index] = next(c for c in candidates if c not in taken and c not in single)
            taken.add(names[index])
    return names
