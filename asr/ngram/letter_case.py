"""Language models of lower-case words, for text in normal form, which is in upper case."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from asr.errors import AsrError
from asr.ngram.model import SPECIAL_WORDS, NgramModel
from asr.text import note_rule


def in_upper_case(model: NgramModel, name: object) -> NgramModel:
    """The model with its words in upper case, if most of them are not.

    Args:
        model: the model.
        name: of its file, for errors.

    Raises:
        AsrError: two words become one in upper case.
    """
    words = model.words[len(SPECIAL_WORDS) :]
    lower = [word for word in words if word != word.upper()]
    if 2 * len(lower) <= len(words):
        return model
    upper = [word.upper() for word in words]
    if len(set(upper)) < len(upper):
        counts = Counter(upper)
        twice = next(word for word in lower if counts[word.upper()] > 1)
        raise AsrError(
            f"the language model {name} has {twice} in two cases, but text in normal form is in "
            "upper case; train it anew with asr lm train"
        )
    note_rule("case", lower[0], len(lower))
    return replace(model, words=(*SPECIAL_WORDS, *upper))
