"""Folders of audio with transcripts: .txt files of the same names, or a table."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from asr.audio.read import EXTENSIONS, find_audio
from asr.corpora.candidates import Candidate, select_usable
from asr.corpora.manifest import segment_id
from asr.corpora.summary import (
    Problem,
    Reason,
    Summary,
    make_folder,
    write_data_set,
)
from asr.corpora.transcript_table import EXTENSIONS_OF_TABLES, find_tables, read_table
from asr.errors import AsrError
from asr.runtime.files import printable, walk_files
from asr.runtime.textfile import read_text

_PLACES = ("", "clips", "wavs", "wav", "audio")  # of audio, seen from a table
# The order in which a name without extension is tried.
_SUFFIXES = (".wav", ".flac", *sorted(EXTENSIONS - {".wav", ".flac"}))


def prepare(
    folder: str | Path,
    output: str | Path,
    *,
    table: str | Path | None = None,
    name: str | None = None,
) -> Summary:
    """Writes a manifest of a folder.

    Args:
        folder: searched for audio with all folders below it.
        output: the folder for the manifest.
        table: the table of transcripts, as a path or as seen from ``folder``. None: .txt files
            with the names of the audio files, or else the only table that lies in the folder.
        name: of the manifest; by default that of the table or else of the folder.

    Raises:
        AsrError: there are no transcripts, or several tables; the table can't be read; nothing
            can be used; or ``output`` can't be written to.
    """
    folder, output = Path(os.path.abspath(folder)), Path(output)
    if not folder.is_dir():
        raise AsrError(f"{folder} is not a folder")
    audio = find_audio(folder)
    texts = _find_texts(folder)
    tables = find_tables(folder)
    notes = []
    if table is not None:
        chosen = _find_table(folder, Path(table))
    elif not texts.keys().isdisjoint(map(_key, audio)):
        chosen = None
        if tables:
            notes.append(f"not used, because there are .txt files: {_names(tables)} (--table)")
    elif len(tables) == 1:
        chosen = tables[0]
    elif tables:
        raise AsrError(f"{folder} holds several tables; name one with --table: {_names(tables)}")
    else:
        raise AsrError(
            f"{folder} holds neither audio with .txt files of the same names nor a table of "
            f"transcripts ({', '.join(sorted(EXTENSIONS_OF_TABLES))})"
        )
    make_folder(output)
    if chosen is None:
        entries, problems = _pair(folder, audio, texts)
        name = name or folder.name
    else:
        entries, problems = look_up(folder, chosen)
        name = name or chosen.stem
        named = {os.path.realpath(entry.audio) for entry in entries}
        others = [path for path in audio if os.path.realpath(path) not in named]
        if others and len(tables) > 1:  # tables like train.tsv and dev.tsv share a folder
            notes.append(f"audio files in {folder} that {chosen.name} does not name: {len(others)}")
        else:
            problems += [_without_transcript(path, folder) for path in others]
    utterances, unusable = select_usable(entries, name)
    return write_data_set(name, utterances, problems + unusable, output, notes)


def _pair(
    folder: Path, audio: Iterable[Path], texts: dict[Path, Path]
) -> tuple[list[Candidate], list[Problem]]:
    entries = []
    problems = []
    paired: dict[Path, Path] = {}
    for path in audio:
        key, name = _key(path), printable(path.relative_to(folder))
        if key not in texts:
            problems.append(_without_transcript(path, folder))
            continue
        if key in paired:
            first = printable(paired[key].relative_to(folder))
            problems.append(Problem(name, Reason.DUPLICATE, f"has the same transcript as {first}"))
            continue
        paired[key] = path
        try:
            text = read_text(texts[key])
        except AsrError as error:
            item = printable(texts[key].relative_to(folder))
            detail = str(error).removeprefix(f"{texts[key]} ")
            problems.append(Problem(item, Reason.BAD_TRANSCRIPT, detail))
            continue
        entries.append(Candidate(name, path, text, _id(path, folder)))
    for key, path in texts.items():
        if key not in paired:
            problems.append(Problem(printable(path.relative_to(folder)), Reason.NO_AUDIO))
    return entries, problems


def look_up(folder: Path, table: Path) -> tuple[list[Candidate], list[Problem]]:
    """The rows of a table with their audio, which is looked up beside it and in ``folder``.

    Raises:
        AsrError: the table can't be read.
    """
    rows, misfits = read_table(table)
    problems = [Problem(f"line {n}", Reason.BAD_ROW, fault) for n, fault in misfits]
    entries = []
    for row in rows:
        item = f"{row.audio} (line {row.line})"
        audio = _locate(row.audio, (table.parent, folder))
        if audio is None:
            problems.append(Problem(item, Reason.NO_AUDIO))
        else:
            utterance_id = _id(Path(row.audio), folder)
            if row.start is not None:
                utterance_id = segment_id(utterance_id, row.start)
            times = row.start, row.end
            entries.append(Candidate(item, audio, row.text, utterance_id, row.speaker, *times))
    return entries, problems


def _locate(name: str, folders: Iterable[Path]) -> Path | None:
    suffixes = [""]
    if Path(name).suffix.lower() not in EXTENSIONS:
        suffixes += _SUFFIXES
    for folder in folders:
        for place in _PLACES:
            for suffix in suffixes:
                path = os.path.join(folder, place, name + suffix)
                if os.path.isfile(path):  # unlike Path's, never an error: a name may be anything
                    return Path(os.path.normpath(path))
    return None


def _find_table(folder: Path, table: Path) -> Path:
    for path in (folder / table, Path(os.path.abspath(table))):
        if path.is_file():
            return path
    raise AsrError(f"the table {table} is neither in {folder} nor a path to a file")


def _find_texts(folder: Path) -> dict[Path, Path]:
    found = sorted(path for path in walk_files(folder) if path.suffix.lower() == ".txt")
    return {_key(path): path for path in found if path.is_file()}


def _id(audio: Path, folder: Path) -> str:
    """The path from ``folder`` without extension and, for files of ids and texts, white space."""
    if audio.is_absolute():
        inside = audio.is_relative_to(folder)
        audio = audio.relative_to(folder) if inside else Path(audio.name)
    known = audio.suffix.lower() in EXTENSIONS
    return "_".join((audio.with_suffix("") if known else audio).as_posix().split())


def _key(path: Path) -> Path:
    return path.parent / path.stem


def _names(paths: Iterable[Path]) -> str:
    return ", ".join(path.name for path in paths)


def _without_transcript(path: Path, folder: Path) -> Problem:
    return Problem(printable(path.relative_to(folder)), Reason.NO_TRANSCRIPT)
