"""asr align: when the words of a known text were said."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from asr.alignment import Alignment, load_aligner
from asr.alignment.writers import WRITERS
from asr.audio.read import audio_duration
from asr.cli.messages import complain
from asr.cli.scratch import copy_pipe, is_pipe, scratch_folder
from asr.corpora.manifest import scan_manifest
from asr.errors import AsrError
from asr.runtime.files import write_text
from asr.runtime.progress import audio_bar
from asr.runtime.textfile import read_text


@dataclass(frozen=True)
class _Pair:
    """A recording, what is said in it, and what to call it."""

    audio: Path
    text: str
    name: str


def run(options: argparse.Namespace) -> int:
    """When the words of a known text were said."""
    pairs, problems = _read_pairs(options)
    formats = tuple(WRITERS) if options.format == "all" else (options.format,)
    if not options.output and (len(formats) > 1 or (options.manifest and "TextGrid" in formats)):
        raise AsrError(f"{options.format} needs a folder to write files into; give one with -o")
    for problem in problems:
        complain(problem)
    failed = len(problems)
    with scratch_folder() as scratch:
        pairs = [
            replace(pair, audio=copy_pipe(pair.audio, scratch)) if is_pipe(pair.audio) else pair
            for pair in pairs
        ]
        if pairs:
            failed += _align_all(pairs, formats, options)
    if failed > 1:
        complain(f"{failed} recordings could not be aligned")
    return 1 if failed else 0


def _align_all(pairs: Sequence[_Pair], formats: Sequence[str], options: argparse.Namespace) -> int:
    """Aligns and writes; returns how many recordings could not be aligned or written."""
    aligner = load_aligner(options.model, options.device)
    failed = 0
    shown = options.output is not None or not sys.stdout.isatty()
    with audio_bar("aligning", lambda: sum(map(_seconds, pairs)), shown) as progress:
        wanted = ([(pair.audio, pair.text) for pair in pairs], options.batch_size, progress)
        if options.output:  # files as soon as they can be written, lines in the order given
            results = aligner.as_done(*wanted)
        else:
            results = enumerate(aligner.align_files(*wanted))
        for index, result in results:
            try:
                if isinstance(result, AsrError):
                    raise result
                _write(result, pairs[index].name, formats, options.output)
            except AsrError as error:
                complain(error)
                failed += 1
    return failed


def _seconds(pair: _Pair) -> float:
    """How long a recording is, for the progress bar; nothing if it can't be read."""
    try:
        return audio_duration(pair.audio)
    except AsrError:
        return 0.0


def _write(alignment: Alignment, name: str, formats: Sequence[str], folder: Path | None) -> None:
    for extension in formats:
        text = WRITERS[extension](alignment, name)
        if folder is None:
            sys.stdout.write(text)
            sys.stdout.flush()
            continue
        write_text(folder / f"{name}.{extension}", text)


def _read_pairs(options: argparse.Namespace) -> tuple[list[_Pair], list[AsrError]]:
    """What is to be aligned, and what is wrong with lines of the manifest."""
    if options.manifest:
        if options.audio or options.text is not None:
            raise AsrError("give either a recording with its text or --manifest, not both")
        return _read_manifest(options.manifest)
    if not options.audio:
        raise AsrError("there is nothing to align: give a recording and its text, or --manifest")
    if (options.text is None) == (options.text_file is None):
        raise AsrError(
            f"the text of {options.audio} is needed once: as a file behind it, or with --text"
        )
    text = read_text(options.text_file) if options.text is None else options.text
    return [_Pair(options.audio, text, options.audio.stem)], []


def _read_manifest(path: Path) -> tuple[list[_Pair], list[AsrError]]:
    """Pairs called by their ids; what can't be the name of a file of its own is a problem."""
    utterances, problems = scan_manifest(path, durations=False)
    pairs: dict[str, _Pair] = {}
    for utterance in utterances:
        name = utterance.utterance_id
        if utterance.offset:
            problems.append(
                AsrError(f"{name} in {path} is a segment of a recording; cut it into a file")
            )
        elif not _names_a_file(name):
            problems.append(AsrError(f"the utterance id {name!r} in {path} can't name a file"))
        elif name in pairs:
            problems.append(AsrError(f"the utterance id {name} is in {path} more than once"))
        else:
            pairs[name] = _Pair(Path(utterance.audio_filepath), utterance.text, name)
    return list(pairs.values()), problems


def _names_a_file(name: str) -> bool:
    """Whether it is a path that stays within the folder it is seen from."""
    path = Path(name)
    return name.isprintable() and not path.is_absolute() and ".." not in path.parts
