"""Word boundaries in a sequence of units: separators, or units that begin words."""

from __future__ import annotations

from dataclasses import dataclass

from asr.tokenizers.tokenizer import Tokenizer

_SEPARATOR = " "  # the unit between words, of characters and of phones
_START = "▁"  # what sentencepiece writes before the units that begin words


@dataclass(frozen=True)
class Boundaries:
    """Words are parted by a separator, or begin with units of their own, or are not marked."""

    separator: int = 0  # index of the unit; 0, the blank, for none
    starts: frozenset[int] = frozenset()

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Boundaries:
        units = list(tokenizer.units)
        if _SEPARATOR in units:
            return cls(separator=units.index(_SEPARATOR))
        return cls(starts=frozenset(i for i, unit in enumerate(units) if unit.startswith(_START)))
