"""Kaldi data directories: wav.scp, text and utt2spk (kaldi-asr.org, "Data preparation").

speechocean762 (Zhang et al. 2021) is published in this form.
"""

from __future__ import annotations

from pathlib import Path

from asr.corpora.candidates import Entry
from asr.corpora.summary import Problem, Reason
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


def read_subset(root: Path, subset: str) -> tuple[list[Entry], list[Problem]]:
    """Reads one data directory.

    Args:
        root: relative paths in wav.scp are looked up here, then in the data directory.
        subset: the name of a data directory in ``root``, or ``.``.

    Raises:
        AsrError: a file can't be read, or the directory has segments of recordings.
    """
    folder = root / subset
    if (folder / "segments").exists():
        raise AsrError(
            f"{folder / 'segments'} parts recordings into utterances, which is not supported; cut "
            "the audio into one file for each utterance"
        )
    audio = _read_map(folder / _AUDIO)
    texts = _read_map(folder / _TEXT)
    has_speakers = (folder / _SPEAKERS).is_file()
    speakers = _read_map(folder / _SPEAKERS) if has_speakers else {}
    entries: list[Entry] = []
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
            entries.append(Entry(utterance_id, path, text, utterance_id, speaker))
    problems += [Problem(name, Reason.NO_AUDIO) for name in texts if name not in audio]
    return entries, problems


def _read_map(path: Path) -> dict[str, str]:
    """What stands behind the first word of each line."""
    lines = (line.split(maxsplit=1) for line in read_text(path).split("\n") if line.strip())
    return {fields[0]: fields[1].strip() if len(fields) > 1 else "" for fields in lines}
