"""Regular endings of English words and their pronunciation: COUNTESS'S, TURN'D, THEY'VE.

Phonology as in any grammar of English (Quirk et al. 1985, 3.5 to 3.6): the ending takes the voicing
of the phone before it, and a vowel where it would be inaudible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from asr.lexicon.phones import SIBILANTS, VOICELESS, VOWELS, Phones

Ending = Callable[[Phones], Phones]


def _sibilant(base: Phones) -> Phones:
    """CAT'S, DOG'S, HORSE'S."""
    if base[-1] in SIBILANTS:
        return (*base, "IH", "Z")
    return (*base, "S" if base[-1] in VOICELESS else "Z")


def _past(base: Phones) -> Phones:
    """LOOK'D, TURN'D, IT'D."""
    if base[-1] in ("T", "D"):
        return (*base, "IH", "D")
    return (*base, "T" if base[-1] in VOICELESS else "D")


def _with_vowel(*phones: str) -> Ending:
    """YOU'LL and THAT'LL: a vowel comes in between after a consonant."""

    def add(base: Phones) -> Phones:
        return base + phones if base[-1] in VOWELS else (*base, "AH", *phones)

    return add


def _unchanged(base: Phones) -> Phones:
    return base


def _dropped_g(base: Phones) -> Phones:
    """RUNNIN' from RUNNING."""
    return (*base[:-1], "N") if base[-1] == "NG" else base


# An ending, the letters in its place in the base, and its pronunciation.
_WITH_APOSTROPHE: tuple[tuple[str, str, Ending], ...] = (
    ("'S", "", _sibilant),
    ("S'", "S", _unchanged),
    ("'D", "", _past),
    ("'LL", "", _with_vowel("L")),
    ("'VE", "", _with_vowel("V")),
    ("'RE", "", lambda base: (*base, "ER")),
    ("N'T", "", _with_vowel("N", "T")),
    ("IN'", "ING", _dropped_g),
)
_PLURAL: tuple[tuple[str, str, Ending], ...] = (
    ("IES", "Y", _sibilant),
    ("CHES", "CH", _sibilant),
    ("SHES", "SH", _sibilant),
    ("SSES", "SS", _sibilant),
    ("XES", "X", _sibilant),
    ("S", "", _sibilant),
)
_NO_PLURAL = ("SS", "US", "IS")


def split_ending(word: str, *, plurals: bool = True) -> Iterator[tuple[str, Ending]]:
    """The ways to take ``word`` for a base with an ending, the best first.

    Args:
        word: in normal form.
        plurals: split off S also without an apostrophe.

    Yields:
        The base, and a function of its pronunciation to that of ``word``.
    """
    rules = _WITH_APOSTROPHE
    if plurals and not word.endswith(_NO_PLURAL):
        rules += _PLURAL
    for ending, instead, add in rules:
        base = word.removesuffix(ending)
        if base and base != word:
            yield base + instead, add
