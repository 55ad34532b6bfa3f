"""Manifests: which utterances a data set holds, one JSON object a line.

The keys are NeMo's (``audio_filepath``, ``duration``, ``text``) plus ``utterance_id`` and
``speaker``, so manifests made elsewhere can be used here and the other way round.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from asr.errors import AsrError
from asr.files import atomic, why_unreadable


@dataclass(frozen=True)
class Utterance:
    """One recording of a data set with its transcript."""

    audio_filepath: str
    duration: float  # seconds
    text: str
    utterance_id: str
    speaker: str | None = None


def read_manifest(path: str | Path) -> list[Utterance]:
    """Reads a manifest; relative audio paths are taken from the manifest's folder.

    Raises:
        AsrError: the file can't be read, or a line of it is no utterance.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise AsrError(f"the manifest {path} {why_unreadable(error)}") from error
    except UnicodeDecodeError as error:
        raise AsrError(f"the manifest {path} is not UTF-8 text; is it a manifest?") from error
    utterances = [
        _parse(line, path, number) for number, line in enumerate(lines, 1) if line.strip()
    ]
    if not utterances:
        raise AsrError(f"the manifest {path} holds no utterance")
    return utterances


def write_manifest(path: str | Path, utterances: Iterable[Utterance]) -> None:
    """Writes a manifest, atomically, with the utterances in the order given."""
    with atomic(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        for utterance in utterances:
            record = {key: value for key, value in vars(utterance).items() if value is not None}
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def _parse(line: str, path: Path, number: int) -> Utterance:
    where = f"line {number} of the manifest {path}"
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise AsrError(f"{where} is not a JSON object ({error.msg})") from error
    if not isinstance(record, dict):
        raise AsrError(f"{where} is not a JSON object")
    audio, duration, text = (record.get(key) for key in ("audio_filepath", "duration", "text"))
    if not isinstance(audio, str) or not audio:
        raise AsrError(f"{where} has no audio_filepath")
    if isinstance(duration, bool) or not isinstance(duration, int | float) or not duration > 0:
        raise AsrError(f"{where} has no positive duration")
    if not isinstance(text, str):
        raise AsrError(f"{where} has no text")
    speaker = record.get("speaker")
    return Utterance(
        audio_filepath=str(path.parent / audio),  # an absolute path stays as it is
        duration=float(duration),
        text=text,
        utterance_id=str(record.get("utterance_id") or Path(audio).stem),
        speaker=None if speaker is None else str(speaker),
    )
