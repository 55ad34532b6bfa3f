"""asr transcribe: text of audio files."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from asr.commands.options import Groups, add_model, complain, load_transcriber
from asr.errors import AsrError

FORMATS = ("txt", "json")  # repeated from asr.writers, which would bring torch along


def add(groups: Groups) -> None:
    """Its options."""
    transcribe = groups.add_parser(
        "transcribe",
        help="write down what is said in audio files",
        description="Transcribe audio files, and all audio files of folders. One input prints its "
        "text; several print path, tab, text. A file that can't be read is reported and skipped.",
        epilog="Example: asr transcribe talks/*.flac --format json -o transcripts",
    )
    transcribe.add_argument("audio", nargs="+", type=Path, help="files or folders")
    add_model(transcribe)
    transcribe.add_argument("--format", choices=FORMATS, default="txt")
    transcribe.add_argument(
        "-o", "--output", type=Path, help="write a file for each input into this folder"
    )
    transcribe.set_defaults(run=_transcribe)


def _transcribe(options: argparse.Namespace) -> int:
    """Text of audio files."""
    from asr.files import write_text
    from asr.progress import track
    from asr.writers import WRITERS

    inputs, problems = _collect(options.audio)
    for problem in problems:
        complain(problem)
    failed = len(problems)
    if inputs:
        write = WRITERS[options.format]
        named = len(inputs) > 1 and options.format == "txt"
        results = load_transcriber(options).transcribe_files(inputs, options.batch_size)
        if options.output or not sys.stdout.isatty():
            results = track(results, "transcribing", len(inputs))
        for (path, name), result in zip(inputs.items(), results, strict=True):
            if isinstance(result, AsrError):
                complain(result)
                failed += 1
            elif options.output:
                write_text(options.output / f"{name}.{options.format}", write(result))
            else:
                sys.stdout.write((f"{path}\t" if named else "") + write(result))
                sys.stdout.flush()
    if failed > 1:
        complain(f"{failed} inputs could not be transcribed")
    return 1 if failed else 0


def _collect(arguments: Sequence[Path]) -> tuple[dict[Path, str], list[str]]:
    """The audio files that the arguments name, and what can't be taken.

    Returns:
        For each file the name of its output without extension: its stem, or for a file found in a
        folder its path from there; and one sentence for each argument that is no input.
    """
    from asr.audio import find_audio

    inputs: dict[Path, str] = {}
    problems = []
    for argument in arguments:
        if argument.is_dir():
            found = find_audio(argument)
            if not found:
                problems.append(f"{argument} is a folder without audio files")
            inputs |= {path: str(path.relative_to(argument).with_suffix("")) for path in found}
        else:
            inputs.setdefault(argument, argument.stem)
    counts = Counter(inputs.values())
    clashing = [path.resolve() for path, name in inputs.items() if counts[name] > 1]
    if clashing:  # these would overwrite each other: name them by path and extension
        top = os.path.commonpath([path.parent for path in clashing])
        for path, name in inputs.items():
            if counts[name] > 1:
                inputs[path] = str(path.resolve().relative_to(top))
    return inputs, problems
