"""Decoding options: what a user asks for, and the numbers of a beam search and a second pass."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from asr.errors import AsrError

MOST_PRIOR_WEIGHT = 2.0


class LmChoice(Enum):
    """A language model that is not named by its file."""

    CONFIGURED = "that of the decoder config"
    NONE = "none"


def parse_lm(lm: str | Path | None) -> str | LmChoice:
    """The language model that a user names: a file, ``none``, or None for the config's own."""
    if lm is None:
        return LmChoice.CONFIGURED
    return LmChoice.NONE if str(lm) == LmChoice.NONE.value else str(lm)


@dataclass(frozen=True)
class DecodingOptions:
    """A user's choices; the others are those of the decoder config."""

    decoder: str | None = None  # one of asr.decoding.DECODERS; None: beam where that is asked for
    config: str | Path | None = None  # a decoder config instead of the model's own
    lm: str | LmChoice = LmChoice.CONFIGURED  # a file, or a choice
    lexicon: str | None = None  # a file, instead of that of the config
    hotwords: tuple[str, ...] = ()  # words and phrases to be favoured
    beam_size: int | None = None  # instead of that of the config
    nbest: int = 1  # hypotheses of each utterance
    rescore: bool = True  # by the second pass of the config, if it has one

    @property
    def beam_search_settings(self) -> tuple[str, ...]:
        """Those of the options that only a beam search has, as an error calls them."""
        settings = {
            "a decoder config": self.config,
            "a language model": self.lm is not LmChoice.CONFIGURED,
            "a lexicon": self.lexicon,
            "hot words": self.hotwords,
            "a beam size": self.beam_size,
            "several readings": self.nbest > 1,
        }
        return tuple(name for name, value in settings.items() if value)


@dataclass(frozen=True)
class BeamOptions:
    """Widths, thresholds and weights of a beam search; logarithms are natural.

    The score of a word sequence is

        acoustic + lm_weight * ln P(words) + word_bonus * words + hot words' boosts

    and ``unknown_penalty`` for each word that is not in the lexicon. The acoustic part is divided
    by the units' priors where they are known (:mod:`asr.decoding.label_prior`). P is the language
    model's and includes the end of the sentence. Words that the language model lacks are <unk> to
    it; as <unk> stands for all of them, one that the lexicon has, or a hot word, counts as no
    likelier than the rarest word of the language model. Without a language model there is no word
    bonus.

    Raises:
        AsrError: a value is out of its range.
    """

    beam_size: int = 64  # prefixes kept after a frame
    beam_threshold: float = 14.0  # those less likely than the best by more than this are pruned
    token_threshold: float = -7.0  # units less likely in a frame are not tried, but for the best
    # Of two prefixes with the same future (language model, hot words, place in the word), the one
    # less likely by more than this is pruned. None: 1 if one hypothesis is wanted, else infinity.
    recombination: float | None = None
    lm_weight: float = 0.8
    word_bonus: float = 0.5
    prior_weight: float = 0.6  # the exponent of the priors
    unknown_penalty: float = -8.0  # of words outside the lexicon; 0 without a lexicon
    open_vocabulary: bool = False  # words outside the lexicon may be spelled
    hotword_boost: float = 4.0  # of hot words without a boost of their own
    nbest: int = 1

    @property
    def least_recombined(self) -> float:
        """How much less likely than one with the same future a prefix is when it is pruned."""
        if self.recombination is not None:
            return self.recombination
        return 1.0 if self.nbest == 1 else math.inf

    def __post_init__(self) -> None:
        for name in ("beam_size", "nbest"):
            if getattr(self, name) < 1:
                raise AsrError(f"{_named(name)} must be at least 1, not {getattr(self, name)}")
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
                raise AsrError(f"{_named(name)} is not a number: {getattr(self, name)}")


@dataclass(frozen=True)
class SecondPassWeights:
    """Weights of the terms that :mod:`asr.decoding.second_pass` adds to a hypothesis' score."""

    head: float = 0.0  # of the logarithm of the other head's P(text | audio)
    recurrent: float = 0.0  # of the logarithm of the LSTM language model's P(text)
    lm: float = 0.0  # added to the search's lm_weight
    word_bonus: float = 0.0  # added to the search's word_bonus


def _named(name: str) -> str:
    return {"nbest": "the number of hypotheses"}.get(name, "the " + name.replace("_", " "))
