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

    recipe = load_recipe(options.recipe, options.settings)
    run_recipe(recipe, options.data, texts=options.text, download=options.download)
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

    sets = [data for path in options.data for data in evaluation.read_data(path)]
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
    described = evaluation.describe_run(transcriber)
    records = [evaluation.to_record(row) | described for row in rows]
    title = f"{described['threads']} threads, {described['device']}"
    evaluation.print_table(records, title, console)
    if options.json:
        report = {
            "model": options.model,
            **described,
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


def tune(options: argparse.Namespace) -> int:
    """The decoder config that scores best on development data."""
    from asr.checkpoint import load_model
    from asr.decode.config import DecoderConfig, write_decoder_config
    from asr.device import choose_device
    from asr.evaluate import read_data
    from asr.tune import report, tune_decoder

    sets = [data for path in options.data for data in read_data(path)]
    utterances = [utterance for data in sets for utterance in data.utterances]
    config, trial, failures = tune_decoder(
        load_model(options.model),
        utterances,
        DecoderConfig(lm=options.lm, lexicon=options.lexicon),
        choose_device(options.device),
        options.batch_size,
    )
    for failure in failures:
        complain(f"not tuned on: {failure}")
    write_decoder_config(options.output, config)
    report(trial)
    print(f"the decoder config is in {options.output}")
    return 1 if failures else 0


def language_model(options: argparse.Namespace) -> int:
    """One of the actions on language models."""
    from asr.lm import commands

    status: int = getattr(commands, options.action)(options)
    return status


def build_lexicon(options: argparse.Namespace) -> int:
    """A lexicon of pronunciations."""
    from asr.lexicon.build import build_lexicon as build
    from asr.lexicon.build import read_words
    from asr.lexicon.pronouncer import Source, english

    words = read_words(options.words)
    lexicon, by_source = build(words, english(), options.variants)
    if not lexicon:
        raise AsrError(f"no word of {options.words} can be pronounced, {words[0]!r} for one")
    lexicon.write(
        options.output,
        f"Pronunciations made by asr lexicon build of the words of {options.words.name}.\n"
        "A line: the word, perhaps the weight of this pronunciation (1 if none), its phones.",
    )
    counts = {source: len(found) for source, found in by_source.items()}
    print(
        f"{options.output}: {len(lexicon):,} words, {sum(map(len, lexicon.values())):,} "
        f"pronunciations; {counts[Source.DICTIONARY]:,} words from the dictionary, "
        f"{counts[Source.RULE]:,} by rule, {counts[Source.LETTERS]:,} from their letters"
    )
    if missing := by_source[Source.NOTHING]:
        listed = ", ".join(missing[:10]) + (", ..." if len(missing) > 10 else "")
        complain(f"left out, having no pronunciation: {len(missing)} words ({listed})")
    return 0


def _load(options: argparse.Namespace) -> Transcriber:
    import asr

    return asr.load(
        options.model,
        decoder=options.decoder,
        config=options.config,
        lm=options.lm,
        lexicon=options.lexicon,
        hotwords=_read_hotwords(options.hotwords),
        beam_size=options.beam_size,
        nbest=options.nbest,
        device=options.device,
    )


def _read_hotwords(argument: str | None) -> list[str]:
    """Words and phrases from a file with one a line, or from a list with commas."""
    from asr.corpora.textfile import read_text

    if argument is None:
        return []
    path = Path(argument)
    looks_like_a_path = os.sep in argument or path.suffix == ".txt"
    phrases = (
        read_text(path).splitlines() if path.is_file() or looks_like_a_path else argument.split(",")
    )
    found = [phrase.strip() for phrase in phrases if phrase.strip()]
    if not found:
        raise AsrError(f"there are no hot words in {argument!r}")
    return found


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
