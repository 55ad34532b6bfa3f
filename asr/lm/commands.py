"""What the commands ``asr lm ...`` do."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from asr.corpora.textfile import read_text
from asr.errors import AsrError
from asr.lm.arpa import EXTENSIONS
from asr.lm.files import load, save
from asr.lm.ngram import NgramModel
from asr.lm.perplexity import measure
from asr.lm.text import STDIN
from asr.text import normalise

_MEGABYTE = 10**6


def train(options: argparse.Namespace) -> int:
    """A model from text."""
    from asr.lm.train import train as train_model

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


def convert(options: argparse.Namespace) -> int:
    """A model in another form."""
    _check_output(options.output, exact=options.exact)
    model = load(options.lm)
    save(model, options.output, exact=options.exact)
    print(f"{options.output}: {_describe(model)}, {_size(options.output)}")
    return 0


def perplexity(options: argparse.Namespace) -> int:
    """How well a model predicts texts."""
    model = load(options.lm)
    table = Table("text", box=None, header_style="bold")
    for name in ("sentences", "words", "unknown", "perplexity", "without unknown"):
        table.add_column(name, justify="right")
    for text in options.texts:
        result = measure(model, [text])
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
    """What a model holds."""
    model = load(options.lm)
    counts = ", ".join(f"{count:,} of order {k}" for k, count in enumerate(model.counts, 1))
    print(f"file      {options.lm}, {_size(options.lm)}")
    print(f"order     {model.order}")
    print(f"words     {len(model.words):,}, {' '.join(model.words[:8])} ...")
    print(f"n-grams   {counts}")
    return 0


def _check_output(path: Path, *, exact: bool) -> None:
    if path.is_dir():
        raise AsrError(f"{path} is a folder; name a file, such as {path / 'words.lm'}")
    if exact and path.name.endswith(EXTENSIONS):
        raise AsrError(f"{path} will be an ARPA file, which is exact; leave --exact out")


def _describe(model: NgramModel) -> str:
    counts = " + ".join(f"{count:,}" for count in model.counts)
    return f"{counts} n-grams"


def _size(path: Path) -> str:
    return f"{path.stat().st_size / _MEGABYTE:.2f} MB"
