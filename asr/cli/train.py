"""asr train: the model of a recipe."""

from __future__ import annotations

import argparse

from asr.config.loading import load_recipe
from asr.training.acoustic import train as train_recipe


def run(options: argparse.Namespace) -> int:
    """The model of a recipe."""
    model = train_recipe(load_recipe(options.recipe, options.settings), resume=options.resume)
    print(f"the model is in {model}")
    return 0
