"""Corpora in LibriSpeech's layout: SUBSET/speaker/chapter/ID.flac and speaker-chapter.trans.txt."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from asr.audio.read import find_audio
from asr.corpora.candidates import Candidate, select_usable
from asr.corpora.download import ARCHIVES, BASE_URL, download_archive
from asr.corpora.manifest import Utterance
from asr.corpora.summary import (
    Problem,
    Reason,
    Summary,
    make_folder,
    write_data_set,
)
from asr.errors import AsrError
from asr.runtime.files import printable, walk_files
from asr.runtime.textfile import read_text

_TRANSCRIPTS = ".trans.txt"  # the end of a file's name


def prepare(
    root: str | Path,
    subsets: Sequence[str] | None,
    output: str | Path,
    *,
    download: bool = False,
    base_url: str = BASE_URL,
) -> list[Summary]:
    """Writes a manifest ``SUBSET.jsonl`` for each subset into ``output``.

    Args:
        root: the folder of the subsets, or the one that holds it under the name ``LibriSpeech``.
        subsets: names of subsets; None for all that are there.
        download: fetch subsets that are not there.
        base_url: the folder on the web that holds OpenSLR's numbered resources.

    Raises:
        AsrError: a subset is not there and can't be fetched, nothing of one can be used, or
            ``output`` can't be written to.
    """
    corpus, output = _corpus_folder(Path(root)), Path(output)
    if download and not subsets:
        raise AsrError(f"name the subsets to download with --subset: {', '.join(ARCHIVES)}")
    if not download and not corpus.is_dir():
        raise AsrError(f"{root} is not a folder; give the one that holds the subsets")
    there = [path.name for path in find_subsets(corpus)]
    names = list(dict.fromkeys(subsets or there))
    if not names:
        raise AsrError(_why_nothing(corpus))
    for name in names:
        if not (corpus / name).is_dir() and not (download and name in ARCHIVES):
            raise AsrError(_why_missing(corpus, name, there, download))
    make_folder(output)
    return [_prepare_subset(corpus / name, output, download, base_url) for name in names]


def find_subsets(root: str | Path) -> list[Path]:
    """The folders of the subsets in ``root`` or in the folder ``LibriSpeech`` there, sorted."""
    return [path for path in sorted(_corpus_folder(Path(root)).glob("*")) if _is_subset(path)]


def read_subset(folder: str | Path) -> tuple[list[Utterance], list[Problem]]:
    """Reads one subset, or a part of one.

    Returns:
        The utterances that can be used, sorted by their ids, with absolute paths and texts in
        normal form; and everything that can't be used.

    Raises:
        AsrError: ``folder`` is not a folder.
    """
    folder = Path(os.path.abspath(folder))
    if not folder.is_dir():
        raise AsrError(f"{folder} is not a folder")
    problems = []
    entries = []
    audio: dict[Path, list[Path]] = defaultdict(list)
    for path in find_audio(folder):
        audio[path.parent / path.stem].append(path)
    claimed = set()
    found = (path for path in walk_files(folder) if path.name.endswith(_TRANSCRIPTS))
    for transcripts in sorted(found):
        name = printable(transcripts.relative_to(folder))
        speaker = transcripts.resolve().parent.parent.name
        try:
            lines = read_text(transcripts).split("\n")
        except AsrError as error:
            detail = str(error).removeprefix(f"{transcripts} ")
            problems.append(Problem(name, Reason.BAD_TRANSCRIPT, detail))
            continue
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            utterance_id, _, text = line.strip().partition(" ")
            item = f"{utterance_id} ({name}, line {number})"
            key = transcripts.parent / utterance_id
            claimed.add(key)
            if key in audio:
                entries.append(Candidate(item, audio[key][0], text, utterance_id, speaker))
            else:
                problems.append(Problem(item, Reason.NO_AUDIO))
    for key, paths in audio.items():
        first = printable(paths[0].relative_to(folder))
        if key not in claimed:
            problems.append(Problem(first, Reason.NO_TRANSCRIPT))
        for path in paths[1:]:
            detail = f"has the same utterance id as {first}"
            item = printable(path.relative_to(folder))
            problems.append(Problem(item, Reason.DUPLICATE, detail))
    utterances, unusable = select_usable(entries, folder.name)
    return utterances, problems + unusable


def _prepare_subset(folder: Path, output: Path, download: bool, base_url: str) -> Summary:
    official = ARCHIVES.get(folder.name)
    if download and official:
        download_archive(official, folder.parent, base_url)
    utterances, problems = read_subset(folder)
    notes = []
    if official and len(utterances) != official.utterances:
        notes.append(
            f"{official.name} as published has {official.utterances} utterances, not "
            f"{len(utterances)}: error rates on this one can't be compared with published ones"
        )
    return write_data_set(folder.name, utterances, problems, output, notes)


def _corpus_folder(root: Path) -> Path:
    """Where the subsets are; the archives bring a folder LibriSpeech along."""
    inner = root / "LibriSpeech"
    return inner if inner.is_dir() else root


def _is_subset(folder: Path) -> bool:
    return folder.is_dir() and any(
        not path.name.startswith("._") for path in folder.glob(f"*/*/*{_TRANSCRIPTS}")
    )


def _why_nothing(corpus: Path) -> str:
    if _is_subset(corpus.parent) or _is_subset(corpus):
        return f"{corpus} is a subset or a part of one; give the folder that holds the subset"
    return (
        f"{corpus} holds no subset in LibriSpeech's layout "
        f"(SUBSET/speaker/chapter/speaker-chapter.trans.txt)"
    )


def _why_missing(corpus: Path, name: str, there: Sequence[str], download: bool) -> str:
    has = f"it has {', '.join(there)}" if there else "it has none"
    if name in ARCHIVES:
        return f"{corpus} has no subset {name} ({has}); --download fetches it"
    if download:
        return f"there is no subset {name} to download; there are {', '.join(ARCHIVES)}"
    return f"{corpus} has no subset {name}; {has}"
