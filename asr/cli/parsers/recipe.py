"""Options of asr recipe."""

from __future__ import annotations

from asr.cli.parsers.shared import Commands, add_recipe


def add(commands: Commands) -> None:
    """Adds the command and its options."""
    recipe = commands.add_parser(
        "recipe",
        help="list the keys of recipes, or all settings of one",
        epilog="Example: asr recipe keys",
    )
    actions = recipe.add_subparsers(required=True, metavar="ACTION")

    keys = actions.add_parser(
        "keys",
        help="every key with its default, unit and meaning",
        description="List every key of a recipe with its default, unit and meaning. A key without "
        "a default is required.",
        epilog="Example: asr recipe keys train",
    )
    keys.add_argument("prefix", nargs="?", default="", help="a section, such as train or model")
    keys.set_defaults(run="asr.cli.recipe:keys")

    show = actions.add_parser(
        "show",
        help="all settings of a recipe, defaults included",
        description="Print a recipe with its overrides applied, its earlier stages written out and "
        "every default filled in, as a recipe.",
        epilog="Example: asr recipe show recipes/mini_librispeech.yaml train.epochs=10",
    )
    add_recipe(show)
    show.set_defaults(run="asr.cli.recipe:show")
