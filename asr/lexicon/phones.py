"""The phones of English as units: ARPAbet as in the CMU Pronouncing Dictionary, without stress."""

from __future__ import annotations

VOWELS = ("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW")
CONSONANTS = (
    *("B", "CH", "D", "DH", "F", "G", "HH", "JH", "K", "L", "M", "N", "NG"),
    *("P", "R", "S", "SH", "T", "TH", "V", "W", "Y", "Z", "ZH"),
)
PHONES = tuple(sorted(VOWELS + CONSONANTS))

VOICELESS = frozenset(("P", "T", "K", "F", "TH", "S", "SH", "CH", "HH"))
SIBILANTS = frozenset(("S", "Z", "SH", "ZH", "CH", "JH"))

Phones = tuple[str, ...]
"""A pronunciation of a word."""
