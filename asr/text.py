"""One form for all text: what the model is trained on, writes and is scored in.

The form is LibriSpeech's: upper case A-Z, the apostrophe, words apart by one space.
"""

from __future__ import annotations

import re
import unicodedata

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ'"  # of words; between them stands a space

_APOSTROPHES = dict.fromkeys(map(ord, "’‘ʼ`´＇"), "'")
_LETTERS = str.maketrans(
    {"ß": "SS", "Æ": "AE", "æ": "AE", "Œ": "OE", "œ": "OE", "Ø": "O", "ø": "O"}
)
# An apostrophe that no letter touches is a quotation mark.
_LONE_APOSTROPHE = re.compile(r"(?<!\w)'+(?!\w)")
_PUNCTUATION = re.compile(r"[\s\-‐-―.,;:!?¡¿\"“”„«»()\[\]{}<>/\\|_*~…•]+")
_FOREIGN = re.compile(rf"[^{ALPHABET} ]")


def normalise(text: str) -> str:
    """Brings ``text`` into the form above, as far as that needs no guess.

    Case goes up, accents go off, typographic apostrophes become plain ones; punctuation becomes
    a space. What has no single reading (digits, symbols, other scripts) stays as it is, for
    :func:`foreign_characters` to report: a number dropped here would be an error in every WER.
    """
    text = text.translate(_APOSTROPHES).translate(_LETTERS)
    decomposed = unicodedata.normalize("NFKD", text)
    text = "".join(c for c in decomposed if not unicodedata.combining(c)).upper()
    text = _LONE_APOSTROPHE.sub(" ", _PUNCTUATION.sub(" ", text))
    return " ".join(text.split())


def foreign_characters(text: str) -> str:
    """The characters of ``text`` that the normal form lacks, each once, in order of appearance."""
    return "".join(dict.fromkeys(_FOREIGN.findall(text)))
