"""A text as a sequence of model units, with the span of each word."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from asr.decoding.word_boundaries import Boundaries
from asr.errors import AsrError
from asr.text import normalise
from asr.tokenizers.tokenizer import Tokenizer, UnrepresentableText

_SHOWN = 5  # words that can't be spelled, in a message


@dataclass(frozen=True)
class Spelling:
    """Words and their units; separators between words belong to none."""

    words: tuple[str, ...]
    units: tuple[int, ...]  # of the whole text
    spans: tuple[tuple[int, int], ...]  # of each word in units: first, and last + 1


def spell(text: str, tokenizer: Tokenizer) -> Spelling:
    """Normalises ``text`` and encodes it in units.

    Raises:
        AsrError: the text holds no words, or words that the units can't spell.
    """
    words = tuple(normalise(text).split())
    if not words:
        raise AsrError("the text holds no words")
    spelled: dict[str, list[int]] = {}
    lacking = []
    for word in dict.fromkeys(words):
        try:
            spelled[word] = tokenizer.encode(word)
        except UnrepresentableText:
            lacking.append(word)
    if lacking:
        more = f" and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else ""
        raise AsrError(
            f"the text holds words that the model can't spell: {', '.join(lacking[:_SHOWN])}"
            f"{more}; write them as they are said, in letters"
        )
    separator = Boundaries.of(tokenizer).separator
    units: list[int] = []
    spans = []
    for word in words:
        if units and separator:
            units.append(separator)
        spans.append((len(units), len(units) + len(spelled[word])))
        units += spelled[word]
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    return Spelling(words, tuple(units), tuple(spans))
