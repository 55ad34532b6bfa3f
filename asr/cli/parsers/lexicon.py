"""Options of asr lexicon."""

from __future__ import annotations

from pathlib import Path

from asr.cli.parsers.shared import Commands, positive


def add(commands: Commands) -> None:
    """Adds the command and its options."""
    lexicon = commands.add_parser(
        "lexicon",
        help="make pronouncing lexica",
        epilog="Example: asr lexicon build books.lm -o lexicon.txt",
    )
    actions = lexicon.add_subparsers(required=True, metavar="ACTION")

    build = actions.add_parser(
        "build",
        help="how words are pronounced",
        description="Write the pronunciations of English words, for models that emit phones: from "
        "the CMU Pronouncing Dictionary, by rule for words with endings such as 'S, and else from "
        "their letters. The lexicon is text with a pronunciation a line, and may be edited.",
        epilog="Example: asr lexicon build books.lm -o lexicon.txt",
    )
    build.add_argument(
        "words",
        type=Path,
        metavar="WORDS_OR_LM",
        help="a list of words, a text or a language model",
    )
    build.add_argument("-o", "--output", type=Path, required=True, help="for the lexicon")
    build.add_argument(
        "--variants",
        type=positive,
        default=3,
        metavar="N",
        help="pronunciations at most of a word that is not in the dictionary (default: 3)",
    )
    build.set_defaults(run="asr.cli.lexicon:build")
