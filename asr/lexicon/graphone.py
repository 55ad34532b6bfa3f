"""Graphones: the units of a joint model of spelling and sound."""

from __future__ import annotations

from dataclasses import dataclass

from asr.lexicon.phones import Phones


@dataclass(frozen=True, order=True)
class Graphone:
    """A letter with the phones it stands for: none, one or two (Bisani and Ney 2008)."""

    letter: str
    phones: Phones

    def __str__(self) -> str:
        return f"{self.letter}:{'.'.join(self.phones)}"

    @classmethod
    def parse(cls, text: str) -> Graphone:
        """Reads ``X:K.S`` or, for a silent letter, ``E:``."""
        letter, _, phones = text.partition(":")
        return cls(letter, tuple(phones.split(".")) if phones else ())
