"""asr train: the model of a recipe."""

from __future__ import annotations

import argparse

from asr.cli.options import Groups, add_recipe


def add(groups: Groups) -> None:
    """Its options."""
    train = groups.add_parser(
        "train",
        help="train the model of a recipe",
        epilog="Example: asr train recipes/mini_librispeech.yaml train.epochs=10 --resume",
    )
    add_recipe(train)
    train.add_argument("--resume", action="store_true", help="go on with a run that was stopped")
    train.set_defaults(run=_train)


def _train(options: argparse.Namespace) -> int:
    """The model of a recipe."""
    from asr.config.schema import load_recipe
    from asr.training.acoustic import train as train_recipe

    model = train_recipe(load_recipe(options.recipe, options.settings), resume=options.resume)
    print(f"the model is in {model}")
    return 0
