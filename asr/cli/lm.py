"""asr lm train, convert, perplexity and info."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from asr.cli.outputs import check_output
from asr.corpora.text_blocks import STDIN
from asr.errors import AsrError
from asr.neural_lm.file import is_recurrent
from asr.ngram.arpa import EXTENSIONS
from asr.ngram.estimation import train as train_model
from asr.ngram.files import load, save
from asr.ngram.letter_case import in_upper_case
from asr.ngram.model import NgramModel
from asr.ngram.perplexity import measure
from asr.runtime.textfile import read_text
from asr.text import normalise

_MEGABYTE = 10**6


def train(options: argparse.Namespace) -> int:
    """Trains an n-gram model."""
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
    print(f"{options.output}: {_describe(model)}, {file_size(options.output)}")
    return 0


def convert(options: argparse.Namespace) -> int:
    """Writes a model in another form."""
    _check_output(options.output, exact=options.exact)
    model = load(options.lm)
    save(model, options.output, exact=options.exact)
    print(f"{options.output}: {_describe(model)}, {file_size(options.output)}")
    return 0


def perplexity(options: argparse.Namespace) -> int:
    """Prints the perplexity of texts."""
    if is_recurrent(options.lm):
        # Not above: torch takes seconds to import, and n-grams need none.
        from asr.neural_lm.network import load_recurrent
        from asr.neural_lm.perplexity import measure as measure_recurrent

        predict = partial(measure_recurrent, load_recurrent(options.lm))
    else:
        predict = partial(measure, in_upper_case(load(options.lm), options.lm))
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


def info(options: argparse.Namespace) -> int:
    """Prints the contents of a model."""
    model = load(options.lm)
    counts = ", ".join(f"{count:,} of order {k}" for k, count in enumerate(model.counts, 1))
    print(f"file      {options.lm}, {file_size(options.lm)}")
    print(f"order     {model.order}")
    print(f"words     {len(model.words):,}, {' '.join(model.words[:8])} ...")
    print(f"n-grams   {counts}")
    return 0


def _check_output(path: Path, *, exact: bool) -> None:
    check_output(path)
    if exact and path.name.endswith(EXTENSIONS):
        raise AsrError(f"{path} will be an ARPA file, which is exact; leave --exact out")


def _describe(model: NgramModel) -> str:
    counts = " + ".join(f"{count:,}" for count in model.counts)
    return f"{counts} n-grams"


def file_size(path: Path) -> str:
    """The size of a file in megabytes, for people."""
    return f"{path.stat().st_size / _MEGABYTE:.2f} MB"
