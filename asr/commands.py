"""What each command does, between the parsed options and the package."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from asr.errors import AsrError

if TYPE_CHECKING:
    from asr.transcribe import Transcriber

# Repeated from asr.decode and asr.writers, which would bring torch along; a test holds them equal.
DECODERS = ("greedy", "beam")
FORMATS = ("txt", "json")


def complain(message: object) -> None:
    """One line on standard error, without breaking a progress bar."""
    from asr.progress import console

    console.print(f"asr: {message}", markup=False, highlight=False, soft_wrap=True)


def prepare_librispeech(options: argparse.Namespace) -> int:
    """Manifests of a corpus in LibriSpeech's layout."""
    from asr.corpora.librispeech import prepare
    from asr.corpora.summary import print_summary
    from asr.progress import console

    for summary in prepare(options.root, options.subset, options.output, download=options.download):
        print_summary(summary, console)
    return 0


def prepare_folder(options: argparse.Namespace) -> int:
    """A manifest of a folder with transcripts."""
    from asr.corpora.folder import prepare
    from asr.corpora.summary import print_summary
    from asr.progress import console

    print_summary(prepare(options.folder, options.output, table=options.table), console)
    return 0


def train(options: argparse.Namespace) -> int:
    """The model of a recipe."""
    from asr.config import load_recipe
    from asr.train import train as train_recipe

    model = train_recipe(load_recipe(options.recipe, options.settings), resume=options.resume)
    print(f"the model is in {model}")
    return 0


def run(options: argparse.Namespace) -> int:
    """A recipe from end to end."""
    from asr.config import load_recipe
    from asr.pipeline import run as run_recipe

    run_recipe(
        load_recipe(options.recipe, options.settings), options.data, download=options.download
    )
    return 0


def transcribe(options: argparse.Namespace) -> int:
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
        results = _load(options).transcribe_files(inputs, options.batch_size)
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


def evaluate(options: argparse.Namespace) -> int:
    """Error rates on data sets."""
    import json

    from rich.console import Console

    from asr import evaluate as evaluation
    from asr.files import write_text

    sets = [evaluation.read_data(path) for path in options.data]
    transcriber = _load(options)
    results = [evaluation.evaluate(transcriber, data, options.batch_size) for data in sets]
    for result in results:
        for failure in result.failures:
            complain(f"not scored: {failure}")
    console = Console()
    if options.alignments:
        for result in results:
            evaluation.print_alignments(result, console)
    rows = [*results, evaluation.pool(results)] if options.pool else results
    records = [evaluation.to_record(row) for row in rows]
    machine = evaluation.describe_machine(transcriber)
    title = f"{options.decoder} decoder, {machine['threads']} threads, {machine['device']}"
    evaluation.print_table(records, title, console)
    if options.json:
        report = {
            "model": options.model,
            "decoder": options.decoder,
            "beam_size": options.beam_size if options.decoder == "beam" else None,
            **machine,
            "sets": records,
        }
        write_text(options.json, json.dumps(report, indent=2) + "\n")
    if options.hyp:
        lines = [
            f"{utterance.utterance_id} {hypothesis}".rstrip() + "\n"
            for result in results
            for utterance, hypothesis in zip(result.references, result.hypotheses, strict=True)
        ]
        write_text(options.hyp, "".join(lines))
    return 1 if any(result.failures for result in results) else 0


def _load(options: argparse.Namespace) -> Transcriber:
    import asr

    return asr.load(
        options.model,
        decoder=options.decoder,
        beam_size=options.beam_size,
        device=options.device,
    )


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
