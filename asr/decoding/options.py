"""How a beam search goes about it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from asr.errors import AsrError

MOST_PRIOR_WEIGHT = 2.0


@dataclass(frozen=True)
class BeamOptions:
    """Widths, thresholds and weights of a beam search; logarithms are natural.

    The score of a word sequence is

        acoustic + lm_weight * ln P(words) + word_bonus * words + hot words' boosts

    and ``unknown_penalty`` for each word that is not in the lexicon. The acoustic part is divided
    by the units' priors where they are known (:mod:`asr.decoding.label_prior`). P is the language
    model's, which sees such words as <unk>, and includes the end of the sentence. <unk> stands for
    any of them: so one that the lexicon has, or a hot word, is held no likelier than the rarest
    word that the language model knows. Without a language model there is no word bonus either.

    Raises:
        AsrError: a value is out of its range.
    """

    beam_size: int = 64  # prefixes that live on after a frame
    beam_threshold: float = 14.0  # those less likely than the best by more than this don't
    token_threshold: float = -7.0  # units less likely in a frame aren't tried there; the best is
    # Of two prefixes that nothing can tell apart from now on (language model, hot words, place in
    # the word), the one less likely by more than this is dropped; None: 1 for the best reading
    # alone, and all live on where several are asked for.
    recombination: float | None = None
    lm_weight: float = 0.8
    word_bonus: float = 0.5
    prior_weight: float = 0.6  # the exponent of the priors
    unknown_penalty: float = -8.0  # without a lexicon there is none
    open_vocabulary: bool = False  # words that are not in the lexicon may be spelled
    hotword_boost: float = 4.0  # of hot words that bring none
    nbest: int = 1

    @property
    def least_recombined(self) -> float:
        """By how much a prefix is less likely than its like when it is dropped."""
        if self.recombination is not None:
            return self.recombination
        return 1.0 if self.nbest == 1 else math.inf

    def __post_init__(self) -> None:
        for name in ("beam_size", "nbest"):
            if getattr(self, name) < 1:
                raise AsrError(f"{_said(name)} must be at least 1, not {getattr(self, name)}")
        if not self.beam_threshold > 0:
            raise AsrError(f"the beam threshold must be above 0, not {self.beam_threshold}")
        if self.recombination is not None and not self.recombination > 0:
            raise AsrError(f"recombination must be above 0, not {self.recombination}")
        if not self.token_threshold <= 0:
            raise AsrError(f"the token threshold must be at most 0, not {self.token_threshold}")
        if not 0 <= self.lm_weight < math.inf:
            raise AsrError(f"the LM weight must be at least 0, not {self.lm_weight}")
        if not 0 <= self.prior_weight <= MOST_PRIOR_WEIGHT:
            raise AsrError(
                f"the prior weight must be from 0 to {MOST_PRIOR_WEIGHT:g}, not {self.prior_weight}"
            )
        for name in ("word_bonus", "unknown_penalty", "hotword_boost"):
            if not math.isfinite(getattr(self, name)):
                raise AsrError(f"{_said(name)} is not a number: {getattr(self, name)}")


@dataclass(frozen=True)
class SecondPassWeights:
    """Of the terms that :mod:`asr.decoding.second_pass` adds to the score of a reading."""

    head: float = 0.0  # of the logarithm of P(text | audio) as the other head has it
    recurrent: float = 0.0  # of the logarithm of the recurrent language model's P(text)
    lm: float = 0.0  # added to the search's lm_weight
    word_bonus: float = 0.0  # added to the search's word_bonus


def _said(name: str) -> str:
    return {"nbest": "the number of hypotheses"}.get(name, "the " + name.replace("_", " "))
