"""Manifests: which utterances a data set holds, one JSON object a line.

The keys are NeMo's (``audio_filepath``, ``duration``, ``text``, and ``offset`` of a segment of a
longer recording) plus ``utterance_id`` and ``speaker``, so manifests made elsewhere can be used
here and the other way round.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from asr.errors import AsrError
from asr.runtime.files import atomic, why_unreadable


@dataclass(frozen=True)
class Utterance:
    """One recording of a data set, or a segment of one, with its transcript."""

    audio_filepath: str
    duration: float  # seconds
    text: str
    utterance_id: str
    speaker: str | None = None
    offset: float | None = None  # seconds; of a segment of a longer recording


def segment_id(recording: str, offset: float) -> str:
    """The id of a segment that has none: its recording and its start in milliseconds."""
    return f"{recording}_{round(1000 * offset):08d}"


def read_manifest(path: str | Path) -> list[Utterance]:
    """Reads a manifest; relative audio paths are taken from the manifest's folder.

    Raises:
        AsrError: the file can't be read, or a line of it is no utterance.
    """
    utterances, problems = scan_manifest(path)
    if problems:
        raise problems[0]
    return utterances


def scan_manifest(
    path: str | Path, *, durations: bool = True
) -> tuple[list[Utterance], list[AsrError]]:
    """Reads the lines of a manifest that can be read.

    Args:
        path: the manifest.
        durations: whether an utterance needs one; else one that has none gets a NaN.

    Returns:
        The utterances, and what is wrong with each of the other lines.

    Raises:
        AsrError: the file can't be read, or holds nothing.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise AsrError(f"the manifest {path} {why_unreadable(error)}") from error
    except UnicodeDecodeError as error:
        raise AsrError(f"the manifest {path} is not UTF-8 text; is it a manifest?") from error
    utterances, problems = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            utterances.append(_parse(line, path, number, durations))
        except AsrError as error:
            problems.append(error)
    if not utterances and not problems:
        raise AsrError(f"the manifest {path} holds no utterance")
    return utterances, problems


def write_manifest(path: str | Path, utterances: Iterable[Utterance]) -> None:
    """Writes a manifest, atomically, with the utterances in the order given."""
    with atomic(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        for utterance in utterances:
            record = {key: value for key, value in vars(utterance).items() if value is not None}
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def _parse(line: str, path: Path, number: int, durations: bool) -> Utterance:
    where = f"line {number} of the manifest {path}"
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise AsrError(f"{where} is not a JSON object ({error.msg})") from error
    except (ValueError, RecursionError) as error:  # thousands of digits, thousands of brackets
        raise AsrError(f"{where} is not a JSON object that can be read") from error
    if not isinstance(record, dict):
        raise AsrError(f"{where} is not a JSON object")
    audio, text = record.get("audio_filepath"), record.get("text")
    if not isinstance(audio, str) or not _is_path(audio):
        raise AsrError(f"{where} has no audio_filepath")
    duration = _seconds(record.get("duration"))
    if math.isnan(duration) and durations:
        raise AsrError(f"{where} has no positive duration")
    if not isinstance(text, str):
        raise AsrError(f"{where} has no text")
    offset = read_offset(record, where)
    name, speaker = record.get("utterance_id"), record.get("speaker")
    return Utterance(
        audio_filepath=str(path.parent / audio),  # an absolute path stays as it is
        duration=duration,
        text=text,
        utterance_id=default_id(audio, offset) if name in (None, "") else str(name),
        speaker=None if speaker is None else str(speaker),
        offset=offset,
    )


def read_offset(record: Mapping[str, object], where: str) -> float | None:
    """The start of the segment that a record is of; None of a whole recording.

    Raises:
        AsrError: it is no time in seconds.
    """
    offset = record.get("offset")
    if offset is None:
        return None
    if isinstance(offset, bool) or not isinstance(offset, int | float) or not 0 <= offset < 1e9:
        raise AsrError(f"{where} has an offset that is no time in seconds")
    return float(offset)


def default_id(audio: str, offset: float | None) -> str:
    """The id of an utterance that has none."""
    stem = Path(audio).stem
    return segment_id(stem, offset) if offset else stem


def _is_path(name: str) -> bool:
    """Whether a file can have that name: none is empty, holds a NUL or half a character."""
    try:
        return b"\0" not in os.fsencode(name) != b""
    except UnicodeEncodeError:
        return False


def _seconds(duration: object) -> float:
    """A duration above zero, or NaN for what is none."""
    if isinstance(duration, bool) or not isinstance(duration, int | float):
        return math.nan
    return float(duration) if 0 < duration <= sys.float_info.max else math.nan
