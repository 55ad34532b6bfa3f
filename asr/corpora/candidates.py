"""Selection of usable utterances among the pairs of audio and transcript of a corpus."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from asr.audio.read import audio_duration
from asr.corpora.manifest import Utterance
from asr.corpora.summary import Problem, Reason
from asr.errors import AsrError
from asr.runtime.files import printable
from asr.runtime.progress import track
from asr.text import foreign_characters, normalise

_TOLERANCE = 0.1  # seconds that a segment may end behind its audio


@dataclass(frozen=True)
class Candidate:
    """An audio file, or a segment of one, with its transcript, both unchecked."""

    item: str  # its name in a report
    audio: Path  # absolute
    text: str
    utterance_id: str
    speaker: str | None = None
    start: float | None = None  # seconds, of a segment of the audio
    end: float | None = None


def select_usable(entries: Iterable[Candidate], name: str) -> tuple[list[Utterance], list[Problem]]:
    """Normalises texts, measures the audio and reports the candidates that can't be used.

    Returns:
        The utterances, sorted by their ids, and the problems in the order of the entries.
    """
    problems: list[Problem] = []
    candidates: list[tuple[Candidate, str]] = []
    seen: dict[str, Candidate] = {}  # by utterance id and, links resolved, by path
    for entry in entries:
        text = normalise(entry.text)
        foreign = foreign_characters(text)
        place = "" if entry.start is None else f" {entry.start} {entry.end}"
        keys = f"id {entry.utterance_id}", f"path {os.path.realpath(entry.audio)}{place}"
        first = next((seen[key] for key in keys if key in seen), None)
        if not text:
            problems.append(Problem(entry.item, Reason.EMPTY))
        elif foreign:
            characters = " ".join(map(repr, foreign))
            problems.append(Problem(entry.item, Reason.FOREIGN, f"{characters} in: {text}"))
        elif printable(entry.audio) != str(entry.audio):
            detail = "its path is not UTF-8; rename it"
            problems.append(Problem(entry.item, Reason.BAD_AUDIO, detail))
        elif first:
            what = "utterance id" if first.utterance_id == entry.utterance_id else "audio"
            detail = f"has the same {what} as {first.item}"
            problems.append(Problem(entry.item, Reason.DUPLICATE, detail))
        else:
            seen |= dict.fromkeys(keys, entry)
            candidates.append((entry, text))

    utterances = []
    pool = ThreadPoolExecutor()  # Opening files is mostly waiting.
    try:
        files = list(dict.fromkeys(entry.audio for entry, _ in candidates))
        lengths = zip(files, pool.map(_measure, files), strict=True)
        measured = dict(track(lengths, f"reading {name}", len(files)))
        for entry, text in candidates:
            length = measured[entry.audio]
            if entry.start is not None and not isinstance(length, AsrError):
                length = _segment_length(entry, length)
            if isinstance(length, AsrError):
                detail = str(length).removeprefix(f"{entry.audio} ")
                problems.append(Problem(entry.item, Reason.BAD_AUDIO, detail))
            else:
                utterances.append(
                    Utterance(
                        str(entry.audio),
                        length,
                        text,
                        entry.utterance_id,
                        entry.speaker,
                        entry.start,
                    )
                )
    finally:
        pool.shutdown(cancel_futures=True)  # or an interrupt would wait for thousands of files
    return sorted(utterances, key=lambda utterance: utterance.utterance_id), problems


def _measure(audio: Path) -> float | AsrError:
    try:
        return audio_duration(audio)
    except AsrError as error:
        return error


def _segment_length(entry: Candidate, seconds: float) -> float | AsrError:
    """The length of a segment that lies within its audio of ``seconds``."""
    start, end = entry.start or 0.0, entry.end or seconds
    if end > seconds + _TOLERANCE:
        return AsrError(f"its segment ends at {end:g} s, its audio at {seconds:.2f} s")
    return round(min(end, seconds) - start, 6)
