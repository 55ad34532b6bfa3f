"""VCTK (Yamagishi, Veaux and MacDonald): txt/SPEAKER/ID.txt beside wav48/SPEAKER/ID.wav.

Version 0.92 has wav48_silence_trimmed/SPEAKER/ID_mic1.flac, and a second microphone, which is left
out.
"""

from __future__ import annotations

from pathlib import Path

from asr.corpora.candidates import Candidate
from asr.corpora.summary import Problem, Reason
from asr.runtime.textfile import read_text

_AUDIO = ("wav48_silence_trimmed/{}_mic1.flac", "wav48/{}.wav", "wav16/{}.wav")


def find_subsets(root: Path) -> list[str]:
    """The speakers in ``root``."""
    return sorted(folder.name for folder in (root / "txt").glob("*") if folder.is_dir())


def read_subset(root: Path, subset: str) -> tuple[list[Candidate], list[Problem]]:
    """Reads one speaker's sentences.

    Raises:
        AsrError: a text can't be read.
    """
    entries: list[Candidate] = []
    problems: list[Problem] = []
    for text in sorted((root / "txt" / subset).glob("*.txt")):
        places = (root / place.format(f"{subset}/{text.stem}") for place in _AUDIO)
        path = next((place for place in places if place.is_file()), None)
        if path is None:
            problems.append(Problem(text.stem, Reason.NO_AUDIO))
        else:
            entries.append(Candidate(text.stem, path, read_text(text), text.stem, subset))
    return entries, problems
