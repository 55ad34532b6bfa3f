"""asr lexicon: pronouncing lexica."""

from __future__ import annotations

import argparse

from asr.cli.messages import complain
from asr.errors import AsrError
from asr.lexicon.build import build_lexicon, read_words
from asr.lexicon.pronouncer import Source, english


def build(options: argparse.Namespace) -> int:
    """A lexicon of pronunciations."""
    words = read_words(options.words)
    lexicon, by_source = build_lexicon(words, english(), options.variants)
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
