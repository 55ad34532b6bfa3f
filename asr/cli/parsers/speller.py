"""Options of asr speller."""

from __future__ import annotations

from pathlib import Path

from asr.cli.parsers.shared import Commands, add_recipe


def add(commands: Commands) -> None:
    """Adds the command and its options."""
    speller = commands.add_parser(
        "speller",
        help="teach a trained model to spell from text",
        description="Give a model a new main head with a recurrent layer of its own, trained on "
        "what its encoder says of the recipe's recordings, and on texts put together of that. The "
        "encoder stays as it is. All is done on the CPU. Ctrl-C stops it at a state that --resume "
        "goes on from.",
        epilog="Example: asr speller recipes/english_18h.yaml --model runs/english_18h/model "
        "--text books.txt.xz -o runs/spelled",
    )
    add_recipe(speller)
    speller.add_argument("--model", required=True, metavar="MODEL", help="a trained model")
    speller.add_argument(
        "--text", nargs="+", type=Path, required=True, metavar="TEXT", help="as for asr lm train"
    )
    speller.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FOLDER", help="for the new model"
    )
    speller.add_argument("--resume", action="store_true", help="go on with a stopped training")
    speller.set_defaults(run="asr.cli.speller:run")
