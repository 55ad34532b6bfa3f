"""A lexicon: words with their pronunciations, or spellings, in the units that a model emits.

In a file each line is a word, perhaps a weight, and the units of one pronunciation:

    ;;; a comment
    READ R IY D
    READ 0.8 R EH D

as in Kaldi's lexicon.txt and lexiconp.txt. A word may stand on several lines, in any order.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from asr.errors import AsrError
from asr.runtime.files import write_text
from asr.runtime.textfile import read_text

_COMMENT = ";;;"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class Pronunciation(NamedTuple):
    """The units of a word, and their probability by that of its likeliest pronunciation."""

    units: tuple[str, ...]
    weight: float = 1.0


class Entry(NamedTuple):
    """A pronunciation in unit indices, for decoders."""

    word: str
    units: tuple[int, ...]  # indices
    log_weight: float  # natural logarithm


class Units(Protocol):
    """The part of :class:`asr.tokenizers.tokenizer.Tokenizer` that a lexicon uses."""

    @property
    def units(self) -> Sequence[str]: ...

    def encode(self, text: str) -> list[int]: ...


class Lexicon(Mapping[str, tuple[Pronunciation, ...]]):
    """Words with their pronunciations, or spellings, which are the same to a decoder.

    Args:
        words: each with one pronunciation or more, of one unit or more, of weights above 0.
    """

    def __init__(self, words: Mapping[str, Sequence[Pronunciation]]) -> None:
        self._words = {word: tuple(pronunciations) for word, pronunciations in words.items()}

    def __getitem__(self, word: str) -> tuple[Pronunciation, ...]:
        return self._words[word]

    def __iter__(self) -> Iterator[str]:
        return iter(self._words)

    def __len__(self) -> int:
        return len(self._words)

    @classmethod
    def spelled(cls, words: Iterable[str], tokenizer: Units) -> tuple[Lexicon, list[str]]:
        """The words as ``tokenizer`` encodes them, and the words that it can't encode."""
        units = tokenizer.units
        spellings: dict[str, list[Pronunciation]] = {}
        missing = []
        for word in words:
            try:
                indices = tokenizer.encode(word)
            except AsrError:
                indices = []
            if indices:
                spellings[word] = [Pronunciation(tuple(units[index] for index in indices))]
            else:
                missing.append(word)
        return cls(spellings), missing

    def entries(self, tokenizer: Units) -> tuple[list[Entry], list[str]]:
        """All pronunciations in the indices of ``tokenizer``, and the words that have none.

        A pronunciation with a unit that the tokenizer lacks is left out; a word all of whose
        pronunciations are left out is in the second list.
        """
        index = {unit: number for number, unit in enumerate(tokenizer.units)}
        entries: list[Entry] = []
        missing = []
        for word, pronunciations in self._words.items():
            before = len(entries)
            for pronunciation in pronunciations:
                if index.keys() >= set(pronunciation.units):
                    indices = tuple(index[unit] for unit in pronunciation.units)
                    entries.append(Entry(word, indices, math.log(pronunciation.weight)))
            if len(entries) == before:
                missing.append(word)
        return entries, missing

    @classmethod
    def read(cls, path: str | Path) -> Lexicon:
        """Reads a lexicon in the form above.

        Raises:
            AsrError: the file can't be read or is empty, or a line is wrong; it names the line.
        """
        words: dict[str, dict[tuple[str, ...], float]] = {}
        for word, units, weight in _lines(Path(path)):
            words.setdefault(word, {})[units] = weight
        return cls(
            {
                word: [Pronunciation(*weighted) for weighted in pronunciations.items()]
                for word, pronunciations in words.items()
            }
        )

    def write(self, path: str | Path, comment: str = "") -> None:
        """Writes the form above; ``comment`` goes to the top. Weights of 1 are left out."""
        lines = [f"{_COMMENT} {line}" for line in comment.splitlines()]
        for word, pronunciations in self._words.items():
            for units, weight in pronunciations:
                number = f"{weight:.4g}"
                fields = (word, *units) if number == "1" else (word, number, *units)
                lines.append(" ".join(fields))
        write_text(path, "".join(f"{line}\n" for line in lines))


def read_entries(path: str | Path, tokenizer: Units) -> Iterator[Entry]:
    """The entries of ``Lexicon.read(path).entries(tokenizer)``, read line by line to save memory.

    Raises:
        AsrError: the file can't be read or is empty, a line is wrong, or no word has units of the
            tokenizer.
    """
    index = {unit: number for number, unit in enumerate(tokenizer.units)}
    first = ""
    found = False
    for word, units, weight in _lines(Path(path)):
        first = first or word
        try:
            indices = tuple([index[unit] for unit in units])
        except KeyError:
            continue
        found = True
        yield Entry(word, indices, math.log(weight))
    if not found:
        raise AsrError(
            f"the lexicon {path} does not fit the model: it spells {first!r} with units that are "
            "none of the model's"
        )


def _lines(path: Path) -> Iterator[tuple[str, tuple[str, ...], float]]:
    """Each line's word, units and weight, checked."""
    empty = True
    for number, line in enumerate(read_text(path).splitlines(), 1):
        fields = line.split()
        if not fields or fields[0].startswith(_COMMENT):
            continue
        word, *units = fields
        empty = False
        weight = 1.0
        if units and _NUMBER.fullmatch(units[0]):
            weight = float(units.pop(0))
        if not units:
            raise AsrError(f"line {number} of the lexicon {path} has no units for {word!r}")
        if not 0 < weight < math.inf:
            raise AsrError(
                f"line {number} of the lexicon {path} gives {word!r} the weight {weight:g}; "
                "a weight must be above 0"
            )
        yield word, tuple(units), weight
    if empty:
        raise AsrError(f"the lexicon {path} holds no words")
