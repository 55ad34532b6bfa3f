"""Sentences of texts, drawn at random, and how they would be said."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from asr.corpora.text_blocks import read_blocks
from asr.lexicon.pronouncer import english
from asr.tokenizers.tokenizer import PhoneTokenizer, Tokenizer, UnrepresentableText

_SHORTEST, _LONGEST = 4, 36  # words; of a longer sentence a part is taken
_USUAL = 0.6  # how often a word is said as it usually is, and else in any of its ways


class Sentences:
    """Texts in memory.

    Args:
        texts: files as :func:`asr.corpora.text_blocks.read_blocks` takes them.
    """

    def __init__(self, texts: Sequence[Path]) -> None:
        blocks = [block.encode("ascii") for block in read_blocks(texts, "reading text")]
        self._text = b"".join(blocks)
        self.digest = hashlib.sha256(self._text).hexdigest()
        ends = np.flatnonzero(np.frombuffer(self._text, np.uint8) == ord("\n"))
        starts = np.concatenate([[0], ends[:-1] + 1]).astype(np.int64)
        kept = ends > starts
        self._starts, self._ends = starts[kept], ends[kept]

    def __len__(self) -> int:
        return len(self._starts)

    def sample(self, count: int) -> list[str]:
        """So many of them, or all, evenly spaced."""
        count = min(count, len(self))
        return [self._line(i * len(self) // count) for i in range(count)]

    def draw(self, random: np.random.Generator) -> str:
        """One of them, or a part of it."""
        words = self._line(int(random.integers(len(self)))).split()
        wanted = int(random.integers(_SHORTEST, _LONGEST, endpoint=True))
        start = int(random.integers(max(1, len(words) - wanted + 1)))
        return " ".join(words[start : start + wanted])

    def _line(self, index: int) -> str:
        return self._text[self._starts[index] : self._ends[index]].decode("ascii")


class Reader:
    """Says a text in the units of a head: words that have several pronunciations in any of them."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._index = {unit: index for index, unit in enumerate(tokenizer.units)}
        self._known: dict[str, list[list[int]]] = {}

    def read(self, text: str, random: np.random.Generator) -> list[int]:
        """Indices of units.

        Raises:
            UnrepresentableText: a word can't be said.
        """
        if self._tokenizer.kind != PhoneTokenizer.kind:
            return self._tokenizer.encode(text)
        units: list[int] = []
        for word in text.split():
            ways = self._ways(word)
            usual = len(ways) == 1 or random.random() < _USUAL
            way = ways[0] if usual else ways[int(random.integers(len(ways)))]
            units += [self._index[" "], *way] if units else way
        return units

    def _ways(self, word: str) -> list[list[int]]:
        if word not in self._known:
            said = english().pronounce(word).pronunciations
            self._known[word] = [[self._index[unit] for unit in way.units] for way in said]
        if not self._known[word]:
            raise UnrepresentableText(word)
        return self._known[word]
