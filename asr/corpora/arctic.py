"""CMU Arctic (Kominek and Black 2004): cmu_us_SPEAKER_arctic/wav and its etc/txt.done.data."""

from __future__ import annotations

import re
from pathlib import Path

from asr.corpora.candidates import Candidate
from asr.corpora.summary import Problem, Reason
from asr.runtime.textfile import read_text

_PROMPTS = Path("etc", "txt.done.data")
_PROMPT = re.compile(r'\(\s*(\S+)\s+"(.*)"\s*\)')
_FOLDER = re.compile(r"cmu_us_(\w+)_arctic")


def find_subsets(root: Path) -> list[str]:
    """The speakers in ``root``."""
    folders = (_FOLDER.fullmatch(path.parents[1].name) for path in root.glob(f"*/{_PROMPTS}"))
    return sorted(match[1] for match in folders if match)


def read_subset(root: Path, subset: str) -> tuple[list[Candidate], list[Problem]]:
    """Reads one speaker's sentences.

    Raises:
        AsrError: the prompts can't be read.
    """
    folder = root / f"cmu_us_{subset}_arctic"
    entries: list[Candidate] = []
    problems: list[Problem] = []
    for number, line in enumerate(read_text(folder / _PROMPTS).split("\n"), 1):
        match = _PROMPT.fullmatch(line.strip())
        item = f"{_PROMPTS}, line {number}"
        if not line.strip():
            continue
        if match is None:
            problems.append(Problem(item, Reason.BAD_ROW, 'it is not ( NAME "TEXT" )'))
            continue
        path = folder / "wav" / f"{match[1]}.wav"
        if path.is_file():
            entries.append(Candidate(match[1], path, match[2], f"{subset}_{match[1]}", subset))
        else:
            problems.append(Problem(match[1], Reason.NO_AUDIO))
    return entries, problems
