"""Mozilla Common Voice: one folder a language, clips/ beside tables such as validated.tsv."""

from __future__ import annotations

from pathlib import Path

from asr.corpora.candidates import Candidate
from asr.corpora.folder import look_up
from asr.corpora.summary import Problem

_NO_TRANSCRIPTS = frozenset(
    ["clip_durations", "reported", "unvalidated_sentences", "validated_sentences", "variants"]
)


def find_subsets(root: Path) -> list[str]:
    """The tables of clips beside ``clips``."""
    if not (root / "clips").is_dir():
        return []
    return sorted(path.stem for path in root.glob("*.tsv") if path.stem not in _NO_TRANSCRIPTS)


def read_subset(root: Path, subset: str) -> tuple[list[Candidate], list[Problem]]:
    """Reads one table.

    Raises:
        AsrError: it can't be read, or has no columns of clips and sentences.
    """
    return look_up(root, root / f"{subset}.tsv")
