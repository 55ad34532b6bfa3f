"""Options of asr lm."""

from __future__ import annotations

import argparse
from pathlib import Path

from asr.cli.parsers.shared import Commands, positive


def add(commands: Commands) -> None:
    """Adds the command and its options."""
    lm = commands.add_parser(
        "lm",
        help="train language models, convert and measure them",
        epilog="Example: asr lm train books.txt.xz -o books.lm --max-size 12",
    )
    actions = lm.add_subparsers(required=True, metavar="ACTION")

    _add_train(actions)
    _add_train_recurrent(actions)
    _add_convert(actions)
    _add_measures(actions)


def _add_train(actions: Commands) -> None:
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
    train.add_argument("--order", type=positive, default=3, metavar="N", help="3 for trigrams")
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
        type=positive,
        metavar="N",
        help="leave out those whose loss changes the model least, until N are left",
    )
    train.add_argument(
        "--max-size", type=_megabytes, metavar="MB", help="the same, until the binary form fits"
    )
    _add_output(train)
    train.set_defaults(run="asr.cli.lm:train")


def _add_train_recurrent(actions: Commands) -> None:
    recurrent = actions.add_parser(
        "train-recurrent",
        help="an LSTM model of text, for a second pass",
        description="Train an LSTM that predicts text unit by unit. A second pass (asr tune "
        "--recurrent) asks it about what a beam search finds. Ctrl-C stops it at a state that "
        "--resume goes on from.",
        epilog="Example: asr lm train-recurrent books.txt.xz -o books.lstm --set hidden=640",
    )
    recurrent.add_argument("texts", nargs="+", type=Path, metavar="TEXT", help="as for train")
    recurrent.add_argument("-o", "--output", type=Path, required=True, help="for the model")
    recurrent.add_argument("--resume", action="store_true", help="go on with a stopped training")
    recurrent.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="settings, as a recipe has them under lm.recurrent",
    )
    recurrent.set_defaults(run="asr.cli.lm_recurrent:train")


def _add_convert(actions: Commands) -> None:
    convert = actions.add_parser(
        "convert",
        help="a model in another form",
        description="Write a model, ARPA or binary, in the form that the output's name asks for.",
        epilog="Example: asr lm convert 3-gram.pruned.1e-7.arpa.gz -o librispeech.lm",
    )
    convert.add_argument("lm", type=Path, metavar="LM", help="a language model")
    _add_output(convert)
    convert.set_defaults(run="asr.cli.lm:convert")


def _add_measures(actions: Commands) -> None:
    perplexity = actions.add_parser(
        "perplexity",
        help="how well a model predicts text",
        description="Print the perplexity of texts, with and without their unknown words.",
        epilog="Example: asr lm perplexity books.lm data/manifests/dev-clean.jsonl",
    )
    perplexity.add_argument("lm", type=Path, metavar="LM", help="a language model")
    perplexity.add_argument("texts", nargs="+", type=Path, metavar="TEXT", help="as for training")
    perplexity.set_defaults(run="asr.cli.lm:perplexity")

    info = actions.add_parser(
        "info",
        help="what a model holds",
        epilog="Example: asr lm info books.lm",
    )
    info.add_argument("lm", type=Path, metavar="LM", help="a language model")
    info.set_defaults(run="asr.cli.lm:info")


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", type=Path, required=True, help="for the model")
    parser.add_argument(
        "--exact", action="store_true", help="binary without rounding, for memory maps"
    )


def _number_or_path(text: str) -> int | Path:
    return positive(text) if text.lstrip("-").isdigit() else Path(text)


def _megabytes(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of megabytes")
    return number
