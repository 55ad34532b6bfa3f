"""Options of asr train."""

from __future__ import annotations

from asr.cli.parsers.shared import Commands, add_recipe


def add(commands: Commands) -> None:
    """Adds the command and its options."""
    train = commands.add_parser(
        "train",
        help="train the model of a recipe",
        epilog="Example: asr train recipes/mini_librispeech.yaml train.epochs=10 --resume",
    )
    add_recipe(train)
    train.add_argument("--resume", action="store_true", help="go on with a run that was stopped")
    train.set_defaults(run="asr.cli.train:run")
