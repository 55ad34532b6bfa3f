"""asr recipe: the keys of recipes, and all settings of one."""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.table import Table

from asr.config.keys import list_keys
from asr.config.loading import load_recipe, to_yaml
from asr.config.schema import Recipe
from asr.errors import AsrError

_UNWRAPPED = 1000  # Characters: in a file or a pipe a key takes one line.


def keys(options: argparse.Namespace) -> int:
    """Every key with its default, unit and meaning."""
    prefix = options.prefix
    found = [key for key in list_keys(Recipe) if f"{key.name}.".startswith(prefix and f"{prefix}.")]
    if not found:
        raise AsrError(f"recipes have no key {prefix}; asr recipe keys lists all")
    table = Table("key", "default", "unit", "meaning", box=None, header_style="bold")
    for key in found:
        table.add_row(key.name, key.default, key.unit, key.meaning)
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console.width = _UNWRAPPED
    console.print(table)
    return 0


def show(options: argparse.Namespace) -> int:
    """A recipe with all its settings."""
    print(to_yaml(load_recipe(options.recipe, options.settings)), end="")
    return 0
