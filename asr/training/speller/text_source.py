"""Sentences of texts, sampled at random, and pronunciations of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from asr.corpora.text_blocks import read_blocks
from asr.lexicon.pronouncer import english
from asr.tokenizers.tokenizer import PhoneTokenizer, Tokenizer, UnrepresentableText

_SHORTEST, _LONGEST = 4, 36  # words; of a longer sentence a part is taken
_FIRST = 0.6  # probability of a word's first pronunciation; otherwise any of them is drawn


class Sentences:
    """The sentences of texts, in memory.

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

    def spread(self, count: int) -> list[str]:
        """At most ``count`` sentences, evenly spaced."""
        count = min(count, len(self))
        return [self._line(i * len(self) // count) for i in range(count)]

    def sample(self, random: np.random.Generator) -> str:
        """A random sentence, or a part of it."""
        words = self._line(int(random.integers(len(self)))).split()
        wanted = int(random.integers(_SHORTEST, _LONGEST, endpoint=True))
        start = int(random.integers(max(1, len(words) - wanted + 1)))
        return " ".join(words[start : start + wanted])

    def _line(self, index: int) -> str:
        return self._text[self._starts[index] : self._ends[index]].decode("ascii")


class PronunciationSampler:
    """Texts in the units of a head, phones or characters; of several pronunciations one is drawn.

    Args:
        tokenizer: of the head.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._index = {unit: index for index, unit in enumerate(tokenizer.units)}
        self._known: dict[str, list[list[int]]] = {}

    def sample(self, text: str, random: np.random.Generator) -> list[int]:
        """Indices of units.

        Raises:
            UnrepresentableText: a word has no pronunciation.
        """
        if self._tokenizer.kind != PhoneTokenizer.kind:
            return self._tokenizer.encode(text)
        units: list[int] = []
        for word in text.split():
            known = self._pronunciations(word)
            first = len(known) == 1 or random.random() < _FIRST
            chosen = known[0] if first else known[int(random.integers(len(known)))]
            units += [self._index[" "], *chosen] if units else chosen
        return units

    def _pronunciations(self, word: str) -> list[list[int]]:
        if word not in self._known:
            found = english().pronounce(word).pronunciations
            self._known[word] = [[self._index[unit] for unit in each.units] for each in found]
        if not self._known[word]:
            raise UnrepresentableText(word)
        return self._known[word]
