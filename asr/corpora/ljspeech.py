"""LJSpeech (Ito and Johnson 2017) and what has its form: metadata.csv beside wavs/."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from asr.corpora.candidates import Candidate
from asr.corpora.folder import look_up
from asr.corpora.summary import Problem

_TABLE = "metadata.csv"


def find_subsets(root: Path) -> list[str]:
    """``.`` where the table is there: the corpus has no parts."""
    return ["."] if (root / _TABLE).is_file() and (root / "wavs").is_dir() else []


def read_subset(root: Path, subset: str) -> tuple[list[Candidate], list[Problem]]:
    """Reads the table; all of it is one speaker.

    Raises:
        AsrError: it can't be read.
    """
    entries, problems = look_up(root / subset, root / subset / _TABLE)
    return [replace(entry, speaker=entry.speaker or "lj") for entry in entries], problems
