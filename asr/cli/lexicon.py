"""asr lexicon: pronouncing lexica."""

from __future__ import annotations

import argparse
from pathlib import Path

from asr.cli.options import Groups, complain, positive
from asr.errors import AsrError


def add(groups: Groups) -> None:
    """Its options."""
    lexicon = groups.add_parser(
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
    build.set_defaults(run=_build)


def _build(options: argparse.Namespace) -> int:
    """A lexicon of pronunciations."""
    from asr.lexicon.build import build_lexicon as build
    from asr.lexicon.build import read_words
    from asr.lexicon.pronouncer import Source, english

    words = read_words(options.words)
    lexicon, by_source = build(words, english(), options.variants)
    if not lexicon:
        raise AsrError(f"no word of {options.words} can be pronounced, {words[0]!r} for one")
    lexicon.write(
        options.output,
        f"Pronunciations made by asr lexicon build of the words of {options.words.name}.\n"
        "A line: the word, perhaps the weight of this pronunciation (1 if none), its phones.",
    )
    counts = {source: len(found) for source, found in by_source.items()}
    print(
        f"{options.output}: {len(lexicon):,} words, {sum(map(len, lexicon.values())):,} "
        f"pronunciations; {counts[Source.DICTIONARY]:,} words from the dictionary, "
        f"{counts[Source.RULE]:,} by rule, {counts[Source.LETTERS]:,} from their letters"
    )
    if missing := by_source[Source.NOTHING]:
        listed = ", ".join(missing[:10]) + (", ..." if len(missing) > 10 else "")
        complain(f"left out, having no pronunciation: {len(missing)} words ({listed})")
    return 0
