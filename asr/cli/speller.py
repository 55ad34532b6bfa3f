"""asr speller: a layer of the main head's own, which learns to spell from text."""

from __future__ import annotations

import argparse

from asr.acoustic.folder import find_model
from asr.config.loading import load_recipe
from asr.training.speller.train import train_speller


def run(options: argparse.Namespace) -> int:
    """A model that spells."""
    recipe = load_recipe(options.recipe, options.settings)
    source = find_model(options.model)
    train_speller(recipe, source, options.output, options.text, resume=options.resume)
    print(f"the model is in {options.output}")
    return 0
