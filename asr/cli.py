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
    if rest:
        are_settings = all("=" in text and not text.startswith("-") for text in rest)
        if not hasattr(options, "settings") or not are_settings:
            parser.error(f"unrecognized arguments: {' '.join(rest)}")
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
        description="Prepare the data of a recipe, train its model, with --text a language model "
        "too, tune the beam search and score it all. A stage that is done is skipped, one that was "
        "stopped goes on.",
        epilog="Example: asr run recipes/mini_librispeech.yaml --data corpora/LibriSpeech "
        "--text books.txt.xz",
    )
    _add_recipe(run)
    run.add_argument("--data", type=Path, required=True, help="a folder in LibriSpeech's layout")
    run.add_argument("--download", action="store_true", help="fetch subsets that are missing")
    run.add_argument(
        "--text",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="of the language model, besides the training transcripts",
    )
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
        "data", nargs="+", type=Path, help="manifests, or folders in LibriSpeech's layout"
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

    tune = groups.add_parser(
        "tune",
        help="find the weights and widths of a beam search",
        description="Search language model weight, word bonus and beam widths on development "
        "data, and write the best as a decoder config, for transcribe and evaluate to take.",
        epilog="Example: asr tune runs/mini_librispeech/model data/manifests/dev-other.jsonl "
        "--lm books.lm -o decoder.yaml",
    )
    tune.add_argument("model", metavar="MODEL", help="a model's folder or a bundled model's name")
    tune.add_argument("data", nargs="+", type=Path, metavar="DATA", help="as for evaluate")
    tune.add_argument("--lm", metavar="LM", help="a language model")
    tune.add_argument("--lexicon", metavar="FILE", help="how words are made of units")
    tune.add_argument("-o", "--output", type=Path, required=True, help="for the decoder config")
    tune.add_argument(
        "--batch-size", type=_positive, default=8, metavar="N", help="files at a time"
    )
    tune.add_argument("--device", default="auto", help="cpu, cuda or auto")
    tune.set_defaults(run=commands.tune)

    _add_language_model(groups)
    _add_lexicon(groups)
    return parser


def _add_language_model(groups: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    lm = groups.add_parser(
        "lm",
        help="train language models, convert and measure them",
        epilog="Example: asr lm train books.txt.xz -o books.lm --max-size 12",
    )
    actions = lm.add_subparsers(required=True, metavar="ACTION")

    train = actions.add_parser(
        "train",
        help="an n-gram model of text",
        description="Train an n-gram model with interpolated modified Kneser-Ney smoothing. "
        "Texts have one sentence a line and are brought to upper case without punctuation; they "
        "may be compressed (.gz, .xz), or manifests (.jsonl). A model named .arpa or .arpa.gz is "
        "written in that form, any other in the compact binary form.",
        epilog="Example: asr lm train books.txt.xz transcripts.txt -o books.lm --max-size 12",
    )
    train.add_argument("texts", nargs="+", type=Path, metavar="TEXT", help="- is standard input")
    train.add_argument("--order", type=_positive, default=3, metavar="N", help="3 for trigrams")
    train.add_argument(
        "--vocab",
        type=_number_or_path,
        default=80_000,
        metavar="N_OR_FILE",
        help="how many of the most frequent words, or a file of the words (default: 80000)",
    )
    train.add_argument(
        "--prune",
        nargs="+",
        type=int,
        default=[0],
        metavar="COUNT",
        help="leave out n-grams seen no more often than this, by order, such as 0 1 1",
    )
    train.add_argument(
        "--max-ngrams",
        type=_positive,
        metavar="N",
        help="leave out those whose loss changes the model least, until N are left",
    )
    train.add_argument(
        "--max-size", type=_megabytes, metavar="MB", help="the same, until the binary form fits"
    )
    _add_lm_output(train)
    train.set_defaults(run=commands.language_model, action="train")

    convert = actions.add_parser(
        "convert",
        help="a model in another form",
        description="Write a model, ARPA or binary, in the form that the output's name asks for.",
        epilog="Example: asr lm convert 3-gram.pruned.1e-7.arpa.gz -o librispeech.lm",
    )
    convert.add_argument("lm", type=Path, metavar="LM", help="a language model")
    _add_lm_output(convert)
    convert.set_defaults(run=commands.language_model, action="convert")

    perplexity = actions.add_parser(
        "perplexity",
        help="how well a model predicts text",
        description="Print the perplexity of texts, with and without their unknown words.",
        epilog="Example: asr lm perplexity books.lm data/manifests/dev-clean.jsonl",
    )
    perplexity.add_argument("lm", type=Path, metavar="LM", help="a language model")
    perplexity.add_argument("texts", nargs="+", type=Path, metavar="TEXT", help="as for training")
    perplexity.set_defaults(run=commands.language_model, action="perplexity")

    info = actions.add_parser(
        "info",
        help="what a model holds",
        epilog="Example: asr lm info books.lm",
    )
    info.add_argument("lm", type=Path, metavar="LM", help="a language model")
    info.set_defaults(run=commands.language_model, action="info")


def _add_lexicon(groups: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    lexicon = groups.add_parser(
        "lexicon",
        help="make pronouncing lexica",
        epilog="Example: asr lexicon build books.lm -o lexicon.txt",
    )
    actions = lexicon.add_subparsers(required=True, metavar="ACTION")

    build = actions.add_parser(
        "build",
        help="how words are pronounced",
        description="Write the pronunciations of English words, for models that emit phones: from "
        "the CMU Pronouncing Dictionary, by rule for words with endings such as 'S, and else from "
        "their letters. The lexicon is text with a pronunciation a line, and may be edited.",
        epilog="Example: asr lexicon build books.lm -o lexicon.txt",
    )
    build.add_argument(
        "words",
        type=Path,
        metavar="WORDS_OR_LM",
        help="a list of words, a text or a language model",
    )
    build.add_argument("-o", "--output", type=Path, required=True, help="for the lexicon")
    build.add_argument(
        "--variants",
        type=_positive,
        default=3,
        metavar="N",
        help="pronunciations at most of a word that is not in the dictionary (default: 3)",
    )
    build.set_defaults(run=commands.build_lexicon)


def _add_lm_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", type=Path, required=True, help="for the model")
    parser.add_argument(
        "--exact", action="store_true", help="binary without rounding, for memory maps"
    )


def _add_recipe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", type=Path, help="a YAML file, such as those in recipes/")
    parser.add_argument(
        "settings", nargs="*", metavar="key=value", help="settings that replace the recipe's"
    )


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", metavar="NAME_OR_DIR", help="a model's folder or a bundled model's name"
    )
    parser.add_argument(
        "--decoder", choices=commands.DECODERS, help="default: beam where the model comes with it"
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="of the decoder, as asr tune writes it"
    )
    parser.add_argument("--lm", metavar="LM", help="a language model, or none (default: its own)")
    parser.add_argument("--lexicon", type=Path, metavar="FILE", help="how words are made of units")
    parser.add_argument(
        "--hotwords",
        metavar="FILE_OR_LIST",
        help="words and phrases to favour: a file with one a line, or a list with commas",
    )
    parser.add_argument("--beam-size", type=_positive, metavar="N", help="of the beam decoder")
    parser.add_argument(
        "--nbest", type=_positive, default=1, metavar="N", help="how many readings, best first"
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


def _number_or_path(text: str) -> int | Path:
    return _positive(text) if text.lstrip("-").isdigit() else Path(text)


def _megabytes(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of megabytes")
    return number


if __name__ == "__main__":
    sys.exit(main())
