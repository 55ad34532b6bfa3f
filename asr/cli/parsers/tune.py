"""Options of asr tune."""

from __future__ import annotations

import argparse
from pathlib import Path

from asr.cli.parsers.shared import Commands, positive


def add(commands: Commands) -> None:
    """Adds the command and its options."""
    tune = commands.add_parser(
        "tune",
        help="find the weights and widths of a beam search",
        description="Search language model weight, word bonus, weight of the label priors and "
        "beam widths on development data, and write the best as a decoder config, for transcribe "
        "and evaluate to take.",
        epilog="Example: asr tune runs/mini_librispeech/model data/manifests/dev-other.jsonl "
        "--lm books.lm --lexicon lexicon.txt -o decoder.yaml",
    )
    tune.add_argument("model", metavar="MODEL", help="a model's folder or a bundled model's name")
    tune.add_argument("data", nargs="+", type=Path, metavar="DATA", help="as for evaluate")
    tune.add_argument("--lm", metavar="LM", help="a language model")
    tune.add_argument("--lexicon", metavar="FILE", help="how words are made of units")
    tune.add_argument(
        "--head",
        choices=("main", "intermediate"),
        default="main",
        help="of the model, if it has two (default: main)",
    )
    tune.add_argument(
        "--readings",
        type=_several,
        metavar="N",
        help="of the search, which a second pass weighs again by the model's other head",
    )
    tune.add_argument(
        "--recurrent", metavar="FILE", help="a language model that weighs them instead"
    )
    tune.add_argument("-o", "--output", type=Path, required=True, help="for the decoder config")
    tune.add_argument("--batch-size", type=positive, default=8, metavar="N", help="files at a time")
    tune.add_argument("--device", default="auto", help="cpu, cuda or auto")
    tune.set_defaults(run="asr.cli.tune:run")


def _several(text: str) -> int:
    if (number := positive(text)) < 2:
        raise argparse.ArgumentTypeError("one reading leaves nothing to weigh")
    return number
