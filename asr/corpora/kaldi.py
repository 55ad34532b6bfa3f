"""Kaldi data directories: wav.scp, text and utt2spk (kaldi-asr.org, "Data preparation").

speechocean762 (Zhang et al. 2021) is published in this form.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from asr.corpora.candidates import Candidate
from asr.corpora.summary import Problem, Reason
from asr.corpora.transcript_table import parse_time
from asr.errors import AsrError
from asr.runtime.textfile import read_text

_AUDIO, _TEXT, _SPEAKERS = "wav.scp", "text", "utt2spk"


def find_subsets(root: Path) -> list[str]:
    """The data directories in ``root``, or ``.`` if it is one itself."""
    if is_data_directory(root):
        return ["."]
    return sorted(path.name for path in root.glob("*") if is_data_directory(path))


def is_data_directory(folder: Path) -> bool:
    """Whether ``folder`` names recordings and their texts as Kaldi does."""
    return (folder / _AUDIO).is_file() and (folder / _TEXT).is_file()


def read_subset(root: Path, subset: str) -> tuple[list[Candidate], list[Problem]]:
    """Reads one data directory.

    Args:
        root: relative paths in wav.scp are looked up here, then in the data directory.
        subset: the name of a data directory in ``root``, or ``.``.

    Raises:
        AsrError: a file can't be read, or a line of ``segments`` is no segment.
    """
    folder = root / subset
    audio = _read_map(folder / _AUDIO)
    segments = _read_segments(folder / "segments", audio)
    audio = {name: audio[recording] for name, (recording, *_) in segments.items()} or audio
    texts = _read_map(folder / _TEXT)
    has_speakers = (folder / _SPEAKERS).is_file()
    speakers = _read_map(folder / _SPEAKERS) if has_speakers else {}
    entries: list[Candidate] = []
    problems: list[Problem] = []
    for utterance_id, source in audio.items():
        if utterance_id not in texts:
            problems.append(Problem(utterance_id, Reason.NO_TRANSCRIPT))
        elif source.endswith("|"):
            detail = "wav.scp has a command for it; decode it to a file"
            problems.append(Problem(utterance_id, Reason.BAD_AUDIO, detail))
        else:
            path = next((p for p in (root / source, folder / source) if p.is_file()), root / source)
            text, speaker = texts[utterance_id], speakers.get(utterance_id)
            times = segments[utterance_id][1:] if segments else (None, None)
            entries.append(Candidate(utterance_id, path, text, utterance_id, speaker, *times))
    problems += [Problem(name, Reason.NO_AUDIO) for name in texts if name not in audio]
    return entries, problems


def _read_segments(path: Path, audio: Mapping[str, str]) -> dict[str, tuple[str, float, float]]:
    """Recording, start and end of each utterance; none where utterances are recordings."""
    segments: dict[str, tuple[str, float, float]] = {}
    if not path.exists():
        return segments
    for name, rest in _read_map(path).items():
        fields = rest.split()
        times = [parse_time(field) for field in fields[1:3]]
        if len(times) != 2 or not 0 <= times[0] < times[1] or fields[0] not in audio:
            raise AsrError(
                f"{path} has {name} {rest}, which is no utterance, recording, start and end"
            )
        segments[name] = (fields[0], times[0], times[1])
    return segments


def _read_map(path: Path) -> dict[str, str]:
    """What stands behind the first word of each line."""
    lines = (line.split(maxsplit=1) for line in read_text(path).split("\n") if line.strip())
    return {fields[0]: fields[1].strip() if len(fields) > 1 else "" for fields in lines}
