"""asr lm: language models, trained, converted and measured."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from asr.cli.options import Groups, positive
from asr.cli.outputs import check_output
from asr.errors import AsrError

if TYPE_CHECKING:
    from asr.ngram.model import NgramModel

_MEGABYTE = 10**6


def add(groups: Groups) -> None:
    """Its options."""
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
    train.set_defaults(run=_train)

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
    recurrent.set_defaults(run=_train_recurrent)

    convert = actions.add_parser(
        "convert",
        help="a model in another form",
        description="Write a model, ARPA or binary, in the form that the output's name asks for.",
        epilog="Example: asr lm convert 3-gram.pruned.1e-7.arpa.gz -o librispeech.lm",
    )
    convert.add_argument("lm", type=Path, metavar="LM", help="a language model")
    _add_output(convert)
    convert.set_defaults(run=_convert)

    perplexity = actions.add_parser(
        "perplexity",
        help="how well a model predicts text",
        description="Print the perplexity of texts, with and without their unknown words.",
        epilog="Example: asr lm perplexity books.lm data/manifests/dev-clean.jsonl",
    )
    perplexity.add_argument("lm", type=Path, metavar="LM", help="a language model")
    perplexity.add_argument("texts", nargs="+", type=Path, metavar="TEXT", help="as for training")
    perplexity.set_defaults(run=_perplexity)

    info = actions.add_parser(
        "info",
        help="what a model holds",
        epilog="Example: asr lm info books.lm",
    )
    info.add_argument("lm", type=Path, metavar="LM", help="a language model")
    info.set_defaults(run=_info)


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", type=Path, required=True, help="for the model")
    parser.add_argument(
        "--exact", action="store_true", help="binary without rounding, for memory maps"
    )


def _train(options: argparse.Namespace) -> int:
    """A model from text."""
    from asr.corpora.text import STDIN
    from asr.ngram.estimation import train as train_model
    from asr.ngram.files import save
    from asr.runtime.textfile import read_text
    from asr.text import normalise

    _check_output(options.output, exact=options.exact)
    if options.texts.count(STDIN) > 1:
        raise AsrError("standard input, -, can be read only once")
    vocabulary = options.vocab
    if isinstance(vocabulary, Path):
        vocabulary = normalise(read_text(vocabulary)).split()
        if not vocabulary:
            raise AsrError(f"there is no word in {options.vocab}; write one word a line")
    model = train_model(
        options.texts,
        order=options.order,
        vocabulary=vocabulary,
        prune=options.prune,
        max_ngrams=options.max_ngrams,
        max_bytes=options.max_size and int(options.max_size * _MEGABYTE),
    )
    save(model, options.output, exact=options.exact)
    print(f"{options.output}: {_describe(model)}, {_size(options.output)}")
    return 0


def _train_recurrent(options: argparse.Namespace) -> int:
    """An LSTM model from text."""
    from asr.config.schema import RecurrentConfig, apply_settings
    from asr.training.lstm_lm import train_recurrent

    _check_output(options.output, exact=False)
    config = apply_settings(RecurrentConfig, options.set, "the command")
    model = train_recurrent(options.texts, options.output, config, resume=options.resume)
    parameters = sum(weights.numel() for weights in model.parameters())
    print(f"{options.output}: {parameters / 1e6:.1f} M parameters, {_size(options.output)}")
    return 0


def _convert(options: argparse.Namespace) -> int:
    """A model in another form."""
    from asr.ngram.files import load, save

    _check_output(options.output, exact=options.exact)
    model = load(options.lm)
    save(model, options.output, exact=options.exact)
    print(f"{options.output}: {_describe(model)}, {_size(options.output)}")
    return 0


def _perplexity(options: argparse.Namespace) -> int:
    """How well a model predicts texts."""
    from rich.console import Console
    from rich.table import Table

    from asr.neural_lm.file import is_recurrent
    from asr.ngram.files import load
    from asr.ngram.perplexity import measure

    if is_recurrent(options.lm):
        from asr.neural_lm.network import load_recurrent
        from asr.neural_lm.perplexity import measure as measure_recurrent

        predict = partial(measure_recurrent, load_recurrent(options.lm))
    else:
        predict = partial(measure, load(options.lm))
    table = Table("text", box=None, header_style="bold")
    for name in ("sentences", "words", "unknown", "perplexity", "without unknown"):
        table.add_column(name, justify="right")
    for text in options.texts:
        result = predict([text])
        table.add_row(
            str(text),
            str(result.sentences),
            str(result.words),
            str(result.unknown),
            f"{result.with_unknown:.2f}",
            f"{result.without_unknown:.2f}",
        )
    Console(soft_wrap=True).print(table)
    return 0


def _info(options: argparse.Namespace) -> int:
    """What a model holds."""
    from asr.ngram.files import load

    model = load(options.lm)
    counts = ", ".join(f"{count:,} of order {k}" for k, count in enumerate(model.counts, 1))
    print(f"file      {options.lm}, {_size(options.lm)}")
    print(f"order     {model.order}")
    print(f"words     {len(model.words):,}, {' '.join(model.words[:8])} ...")
    print(f"n-grams   {counts}")
    return 0


def _check_output(path: Path, *, exact: bool) -> None:
    from asr.ngram.arpa import EXTENSIONS

    check_output(path)
    if exact and path.name.endswith(EXTENSIONS):
        raise AsrError(f"{path} will be an ARPA file, which is exact; leave --exact out")


def _describe(model: NgramModel) -> str:
    counts = " + ".join(f"{count:,}" for count in model.counts)
    return f"{counts} n-grams"


def _size(path: Path) -> str:
    return f"{path.stat().st_size / _MEGABYTE:.2f} MB"


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
