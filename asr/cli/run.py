"""asr run: a recipe from end to end."""

from __future__ import annotations

import argparse
from pathlib import Path

from asr.cli.options import Groups, add_recipe, complain


def add(groups: Groups) -> None:
    """Its options."""
    run = groups.add_parser(
        "run",
        help="a recipe from end to end: prepare, train, evaluate",
        description="Prepare the data of a recipe, train its model, with --text a language model "
        "too, tune the beam search and score it all. A stage that is done is skipped, one that was "
        "stopped goes on.",
        epilog="Example: asr run recipes/mini_librispeech.yaml --data corpora/LibriSpeech "
        "--text books.txt.xz",
    )
    add_recipe(run)
    run.add_argument(
        "--data",
        nargs="+",
        type=Path,
        required=True,
        metavar="ROOT",
        help="folders in LibriSpeech's layout, or with the tables that the recipe names",
    )
    run.add_argument("--download", action="store_true", help="fetch subsets that are missing")
    run.add_argument(
        "--text",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="of the language model, besides the training transcripts",
    )
    run.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    """A recipe from end to end."""
    from asr.config.schema import load_recipe
    from asr.pipeline import run as run_recipe

    recipe = load_recipe(options.recipe, options.settings)
    _, failures = run_recipe(recipe, options.data, texts=options.text, download=options.download)
    for failure in failures:
        complain(failure)
    return 1 if failures else 0
