"""The command line. It parses, calls the package, prints, and turns errors into one line.

Nothing heavy is imported before a command is known, so that --help answers at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from asr import __version__, commands
from asr.errors import AsrError


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status."""
    options = _parse(arguments)
    try:
        status: int = options.run(options)
        return status
    except AsrError as error:
        commands.complain(error)
        return error.exit_status
    except KeyboardInterrupt:
        commands.complain("interrupted")
        return 130
    except BrokenPipeError:  # the reader of our output has seen enough
        sys.stdout = None  # or Python would flush it once more
        return 1


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parses; ``key=value`` may also stand behind an option, where argparse takes no list."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if rest and (not hasattr(options, "settings") or any(r[0] == "-" or "=" not in r for r in rest)):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        options.settings += rest
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="asr",
        description="Train a BiLSTM-CTC speech recogniser, transcribe with it, score it.",
        epilog="Example: asr transcribe speech.wav",
    )
    parser.add_argument("--version", action="version", version=f"asr {__version__}")
    groups = parser.add_subparsers(required=True, metavar="COMMAND")

    prepare = groups.add_parser(
        "prepare",
        help="make manifests of a corpus",
        epilog="Example: asr prepare librispeech corpora/LibriSpeech -o data/manifests",
    )
    corpora = prepare.add_subparsers(required=True, metavar="CORPUS")

    librispeech = corpora.add_parser(
        "librispeech",
        help="a corpus in LibriSpeech's layout",
        description="Write one manifest for each subset, OUTPUT/SUBSET.jsonl.",
        epilog="Example: asr prepare librispeech corpora --subset train-clean-5 --download -o data",
    )
    librispeech.add_argument("root", type=Path, help="the folder that holds the subsets")
    librispeech.add_argument(
        "--subset", nargs="+", metavar="NAME", help="such as dev-clean (default: all there are)"
    )
    librispeech.add_argument(
        "--download", action="store_true", help="fetch what is missing from openslr.org"
    )
    librispeech.add_argument("-o", "--output", type=Path, required=True, help="for the manifests")
    librispeech.set_defaults(run=commands.prepare_librispeech)

    folder = corpora.add_parser(
        "folder",
        help="a folder of audio with .txt files or a table of transcripts",
        description="Write a manifest of a folder whose audio has transcripts beside it: "
        ".txt files of the same names, or a table (csv, tsv) such as Common Voice's or LJSpeech's.",
        epilog="Example: asr prepare folder common-voice --table train.tsv -o data/manifests",
    )
    folder.add_argument("folder", type=Path, help="searched with all folders below it")
    folder.add_argument("--table", type=Path, help="the table of transcripts, if there are several")
    folder.add_argument("-o", "--output", type=Path, required=True, help="for the manifest")
    folder.set_defaults(run=commands.prepare_folder)

    train = groups.add_parser(
        "train",
        help="train the model of a recipe",
        epilog="Example: asr train recipes/mini_librispeech.yaml train.epochs=10 --resume",
    )
    _add_recipe(train)
    train.add_argument("--resume", action="store_true", help="go on with a run that was stopped")
    train.set_defaults(run=commands.train)

    run = groups.add_parser(
        "run",
        help="a recipe from end to end: prepare, train, evaluate",
        description="Prepare the data of a recipe, train its model and score it. "
        "A stage that is done is skipped, one that was stopped goes on.",
        epilog="Example: asr run recipes/mini_librispeech.yaml --data corpora/LibriSpeech",
    )
    _add_recipe(run)
    run.add_argument("--data", type=Path, required=True, help="a folder in LibriSpeech's layout")
    run.add_argument("--download", action="store_true", help="fetch subsets that are missing")
    run.set_defaults(run=commands.run)

    transcribe = groups.add_parser(
        "transcribe",
        help="write down what is said in audio files",
        description="Transcribe audio files, and all audio files of folders. One input prints its "
        "text; several print path, tab, text. A file that can't be read is reported and skipped.",
        epilog="Example: asr transcribe talks/*.flac --format json -o transcripts",
    )
    transcribe.add_argument("audio", nargs="+", type=Path, help="files or folders")
    _add_model(transcribe)
    transcribe.add_argument("--format", choices=commands.FORMATS, default="txt")
    transcribe.add_argument(
        "-o", "--output", type=Path, help="write a file for each input into this folder"
    )
    transcribe.set_defaults(run=commands.transcribe)

    evaluate = groups.add_parser(
        "evaluate",
        help="word error rates on data sets",
        description="Transcribe data sets and score the result. Each set is scored by itself.",
        epilog="Example: asr evaluate data/manifests/dev-clean.jsonl --decoder beam",
    )
    evaluate.add_argument(
        "data", nargs="+", type=Path, help="manifests, or folders of LibriSpeech subsets"
    )
    _add_model(evaluate)
    evaluate.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    evaluate.add_argument(
        "--hyp", type=Path, metavar="FILE", help="write hypotheses: utterance id, space, text"
    )
    evaluate.add_argument(
        "--alignments", action="store_true", help="show each utterance with its errors marked"
    )
    evaluate.add_argument(
        "--pool", action="store_true", help="add a row for all the sets taken as one"
    )
    evaluate.set_defaults(run=commands.evaluate)
    return parser


def _add_recipe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", type=Path, help="a YAML file, such as those in recipes/")
    parser.add_argument(
        "settings", nargs="*", metavar="key=value", help="settings that replace the recipe's"
    )


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", metavar="NAME_OR_DIR", help="a model's folder or a bundled model's name"
    )
    parser.add_argument("--decoder", choices=commands.DECODERS, default="greedy")
    parser.add_argument(
        "--beam-size", type=_positive, default=16, metavar="N", help="of the beam decoder"
    )
    parser.add_argument(
        "--batch-size", type=_positive, default=8, metavar="N", help="files at a time"
    )
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto")


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above zero")
    return number


if __name__ == "__main__":
    sys.exit(main())
