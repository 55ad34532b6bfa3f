"""Options of asr run."""

from __future__ import annotations

from pathlib import Path

from asr.cli.parsers.shared import Commands, add_recipe


def add(commands: Commands) -> None:
    """Adds the command and its options."""
    run = commands.add_parser(
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
    run.set_defaults(run="asr.cli.run:run")
