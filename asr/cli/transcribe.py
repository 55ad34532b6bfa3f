"""asr transcribe: text of audio files."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from asr.audio.read import audio_duration
from asr.cli.inputs import STDIN, Input, collect
from asr.cli.messages import complain, note
from asr.cli.scratch import scratch_folder
from asr.cli.transcriber import load_transcriber
from asr.errors import AsrError
from asr.runtime.files import one_line, write_text
from asr.runtime.progress import audio_bar
from asr.transcript import Notice
from asr.transcription.transcriber import Transcriber
from asr.transcription.writers import WRITERS
from asr.transcription.writers.txt import to_lines

_NAMELESS = ("srt", "vtt", "tsv")  # don't say which recording they are of
_LONGEST_NAME = 255  # bytes, on all common file systems


def run(options: argparse.Namespace) -> int:
    """Text of audio files."""
    formats = tuple(WRITERS) if options.format == "all" else (options.format,)
    to_files = options.output is not None or options.beside
    if not to_files and (len(formats) > 1 or options.skip_existing):
        wish = "--skip-existing" if options.skip_existing else "--format all"
        raise AsrError(f"{wish} needs files to write: add -o FOLDER or --beside")
    with scratch_folder() as scratch:
        inputs, problems = collect(options.audio, scratch)
        for problem in problems:
            complain(problem)
        if not to_files and len(inputs) > 1 and options.format in _NAMELESS:
            raise AsrError(
                f"--format {options.format} of {len(inputs)} inputs needs files to write: "
                "add -o FOLDER or --beside"
            )
        outputs = {given: _outputs(given, formats, options) for given in inputs}
        if options.skip_existing:
            outputs = {
                given: paths
                for given, paths in outputs.items()
                if not all(map(os.path.exists, paths))
            }
        counts = Counter(failed=len(problems))
        if outputs:
            transcriber = load_transcriber(options)
            try:
                if len(outputs) == 1 and not to_files and options.format == "txt":
                    _print_as_said(transcriber, inputs[0], options, counts)
                else:
                    _write_all(transcriber, outputs, options, counts)
            except KeyboardInterrupt:
                complain(f"interrupted: {counts['done']} of {len(outputs)} inputs are done")
                return 130
    if counts["failed"] > 1:
        complain(f"{counts['failed']} inputs could not be transcribed")
    return 1 if counts["failed"] or counts["incomplete"] else 0


def _write_all(
    transcriber: Transcriber,
    outputs: Mapping[Input, Sequence[Path]],
    options: argparse.Namespace,
    counts: Counter[str],
) -> None:
    """Writes each transcript as soon as it is there; prints those that have no output."""
    inputs = list(outputs)
    paths = [given.path for given in inputs]
    to_files = any(outputs.values())
    shown = to_files or not sys.stdout.isatty()
    with audio_bar("transcribing", lambda: _seconds(paths), shown) as progress:
        run = (options.batch_size, options.channel, progress)
        results = (
            transcriber.as_done(paths, *run)
            if to_files
            else enumerate(transcriber.transcribe_files(paths, *run))
        )
        for index, result in results:
            given = inputs[index]
            try:
                if isinstance(result, AsrError):
                    raise result
                result = replace(result, audio_filepath=given.shown, name=given.record)
                for path in outputs[given]:
                    write_text(path, WRITERS[path.suffix[1:]](result))
            except AsrError as error:
                _fail(error, given, counts)
                continue
            if not to_files:
                named = len(inputs) > 1 and options.format == "txt"
                for line in WRITERS[options.format](result).splitlines(keepends=True):
                    sys.stdout.write(f"{one_line(given.shown)}\t{line}" if named else line)
                sys.stdout.flush()
            _report(result.notices, given, counts)
            counts["done"] += 1


def _print_as_said(
    transcriber: Transcriber, given: Input, options: argparse.Namespace, counts: Counter[str]
) -> None:
    """Prints the text of one input, segment by segment."""
    silent = True
    notices: list[Notice] = []
    try:
        for segment in transcriber.segments(
            given.path, options.channel, options.batch_size, notices
        ):
            sys.stdout.write(to_lines(segment))
            sys.stdout.flush()
            silent = False
    except AsrError as error:
        _fail(error, given, counts)
        return
    if silent:
        sys.stdout.write("\n")
        sys.stdout.flush()
    _report(notices, given, counts)
    counts["done"] += 1


def _report(notices: Iterable[Notice], given: Input, counts: Counter[str]) -> None:
    """Prints notices about an input that was transcribed; a missing end counts as a failure."""
    for notice in notices:
        text = notice.text.replace(str(given.path), given.shown)
        if notice.incomplete:
            complain(text)
            counts["incomplete"] += 1
        else:
            note(text)


def _fail(error: AsrError, given: Input, counts: Counter[str]) -> None:
    complain(str(error).replace(str(given.path), given.shown))
    counts["failed"] += 1


def _name(given: Input) -> str:
    return "standard input" if given.shown == STDIN else given.shown


def _outputs(given: Input, formats: Sequence[str], options: argparse.Namespace) -> list[Path]:
    """The files that are to be written for an input: one a format, or none."""
    if options.output is not None:
        place = options.output / given.name
    elif not options.beside:
        return []
    elif given.beside is None:
        raise AsrError(f"{_name(given)} has no folder to write beside: use -o FOLDER")
    else:
        place = given.beside
    return [place.with_name(_fitting(place.name, f".{name}")) for name in formats]


def _fitting(name: str, extension: str) -> str:
    """A file name that file systems take: a longer one is cut, and told apart by a digest."""
    if len(os.fsencode(name + extension)) <= _LONGEST_NAME:
        return name + extension
    end = f"~{sha256(os.fsencode(name)).hexdigest()[:8]}{extension}"
    kept = os.fsencode(name)[: _LONGEST_NAME - len(end)].decode("utf-8", "ignore")
    return kept + end


def _seconds(paths: Sequence[Path]) -> float:
    """How much audio there is, as far as it can be read."""
    seconds = 0.0
    for path in paths:
        with suppress(AsrError):
            seconds += audio_duration(path)
    return seconds
