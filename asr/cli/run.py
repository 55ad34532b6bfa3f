"""asr run: a recipe from end to end."""

from __future__ import annotations

import argparse

from asr.cli.messages import complain
from asr.config.loading import load_recipe
from asr.pipeline import run as run_recipe


def run(options: argparse.Namespace) -> int:
    """A recipe from end to end."""
    recipe = load_recipe(options.recipe, options.settings)
    _, failures = run_recipe(recipe, options.data, texts=options.text, download=options.download)
    for failure in failures:
        complain(failure)
    return 1 if failures else 0
