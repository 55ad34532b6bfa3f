"""Audio that a command line names: files, folders, patterns, standard input."""

from __future__ import annotations

import glob
import os
import sys
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from asr.audio.read import UNREADABLE, find_audio
from asr.cli.scratch import copy_pipe, copy_stream, is_pipe
from asr.errors import AsrError
from asr.runtime.files import printable
from asr.transcription.writers.names import unique_names

STDIN = "-"


@dataclass(frozen=True)
class Input:
    """An audio file and where its output goes."""

    path: Path
    shown: str  # how it is spoken of
    name: Path  # of its output below a folder, without extension
    beside: Path | None  # its output in its own folder, without extension
    record: str = ""  # its id in ctm and trn, unique among the inputs


def collect(arguments: Sequence[str], scratch: Path) -> tuple[list[Input], list[str]]:
    """The audio files that the arguments name, each once, and what can't be taken.

    Outputs are named after the file's stem; those of files found in a folder stand as the files do
    there. Where two would have one name, both are named by path and extension.

    Args:
        arguments: files, folders, patterns that the shell left alone, or ``-``.
        scratch: a folder that standard input and pipes are copied to, since most formats can't be
            read as a stream.

    Returns:
        The inputs, and one sentence for each argument or file in a folder that is none.
    """
    found: dict[Path, Input] = {}
    problems: dict[str, None] = {}
    for argument in arguments:
        try:
            for given in _inputs(argument, scratch):
                if isinstance(given, AsrError):
                    problems[str(given)] = None
                else:
                    found.setdefault(given.path, given)
        except AsrError as error:
            problems[str(error)] = None
    inputs = list(found.values())
    for index in _clashing(inputs, lambda given: given.beside or given.name):
        path = inputs[index].path
        inputs[index] = replace(inputs[index], beside=path)
    for index in _clashing(inputs, lambda given: given.name):
        if inputs[index].name.parent != Path():  # below a folder that was given
            name = inputs[index].name.with_name(inputs[index].path.name)
            inputs[index] = replace(inputs[index], name=name)
    # A name with its extension may be another file's name without: x.wav, x.flac and x.wav.flac.
    for _ in range(2):
        if clashing := _clashing(inputs, lambda given: given.name):
            top = os.path.commonpath([inputs[index].path.resolve().parent for index in clashing])
            for index in clashing:
                name = inputs[index].path.resolve().relative_to(top)
                inputs[index] = replace(inputs[index], name=name)
    records = unique_names(
        [given.name.stem if given.shown == STDIN else Path(given.shown).stem for given in inputs],
        [printable(given.name) for given in inputs],
    )
    inputs = [replace(given, record=record) for given, record in zip(inputs, records, strict=True)]
    return inputs, list(problems)


def _inputs(argument: str, scratch: Path) -> Iterator[Input | AsrError]:
    if argument == STDIN:
        yield _standard_input(scratch)
        return
    path = Path(argument)
    matches = [path]
    # Not Path's methods, to which a name that is too long or may not be looked up is an error.
    if not os.path.exists(path) and glob.has_magic(argument):
        matches = sorted(map(Path, glob.glob(argument, recursive=True)))
        if not matches:
            raise AsrError(f"no file matches {argument}")
    for match in matches:
        if os.path.isdir(match):
            yield from _in_folder(match)
        elif is_pipe(match):
            copy = copy_pipe(match, scratch)
            yield Input(copy, printable(match), Path(match.stem), None)
        else:
            yield _input(match, Path(match.stem))


def _in_folder(folder: Path) -> Iterator[Input | AsrError]:
    found, unreadable = find_audio(folder), find_audio(folder, UNREADABLE)
    if not found and not unreadable:
        raise AsrError(f"{folder} is a folder without audio files")
    for path in found:
        yield _input(path, path.relative_to(folder).with_suffix(""))
    for path in unreadable:
        yield AsrError(f"{path} is in a format that can't be read; convert it, to FLAC for example")


def _input(path: Path, name: Path) -> Input:
    return Input(path, printable(path), name, path.with_suffix(""))


def _standard_input(scratch: Path) -> Input:
    if sys.stdin.isatty():
        raise AsrError("standard input is a terminal; send audio into it: asr transcribe - < FILE")
    path = copy_stream(sys.stdin.buffer, scratch, "stdin", "standard input")
    return Input(path, STDIN, Path("stdin"), None)


def _clashing(inputs: Sequence[Input], place: Callable[[Input], Hashable]) -> list[int]:
    """The inputs that share their place with another."""
    counts = Counter(map(place, inputs))
    return [index for index, given in enumerate(inputs) if counts[place(given)] > 1]
