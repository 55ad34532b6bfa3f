"""Decoders: log-probabilities of units to text.

A decoder implements :class:`Decoder`. It needs neither audio nor model, and each utterance is
decoded from its own frames alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from asr.config.choices import DECODERS
from asr.decoding.calibration import UNCALIBRATED, Calibration
from asr.decoding.greedy import GreedyDecoder
from asr.decoding.hypothesis import DecodedWord, Decoder, Hypothesis
from asr.decoding.options import BeamOptions
from asr.errors import AsrError
from asr.tokenizers.tokenizer import Tokenizer

if TYPE_CHECKING:
    from asr.decoding.lexicon_tree import Entry, LexiconTree
    from asr.ngram import NgramModel

__all__ = [
    "DECODERS",
    "BeamOptions",
    "DecodedWord",
    "Decoder",
    "GreedyDecoder",
    "Hypothesis",
    "make_decoder",
]


def make_decoder(
    name: str,
    tokenizer: Tokenizer,
    beam_size: int | None = None,
    *,
    options: BeamOptions | None = None,
    lexicon: LexiconTree | Iterable[Entry] | None = None,
    lm: NgramModel | None = None,
    hotwords: Iterable[str] | Mapping[str, float] = (),
    prior: Mapping[str, float] | None = None,
    calibration: Calibration = UNCALIBRATED,
    threads: int = 1,
) -> Decoder:
    """Makes a decoder; all arguments after the tokenizer are for the beam search.

    Args:
        name: one of :data:`DECODERS`.
        tokenizer: the units.
        beam_size: instead of that of ``options``.
        options: widths, thresholds and weights.
        lexicon: the words, as a tree or as words, their units and the logarithms of their weights;
            by default those of the language model, as the tokenizer spells them.
        lm: the language model.
        hotwords: words and phrases to be favoured, perhaps each with its boost.
        prior: the share of each unit in the model's emissions (:mod:`asr.decoding.label_prior`).
        calibration: of the confidences of words.
        threads: utterances of a batch that are decoded at a time.

    Raises:
        AsrError: there is no such decoder, a value is out of its range, or the parts don't fit.
    """
    if name == "greedy":
        return GreedyDecoder(tokenizer)
    if name != "beam":
        raise AsrError(f"there is no decoder {name!r}; choose from {', '.join(DECODERS)}")
    # Here, not above: the greedy decoder needs no compiled code.
    from asr.decoding.beam import BeamDecoder
    from asr.decoding.lexicon_tree import LexiconTree, spelled

    options = options or BeamOptions()
    if beam_size is not None:
        options = replace(options, beam_size=beam_size)
    if lexicon is None and lm is not None:
        lexicon = LexiconTree.build(spelled(lm.words[3:], tokenizer))
    elif lexicon is not None and not isinstance(lexicon, LexiconTree):
        lexicon = LexiconTree.build(lexicon)
    return BeamDecoder(
        tokenizer,
        options,
        lexicon=lexicon,
        lm=lm,
        hotwords=hotwords,
        prior=prior,
        calibration=calibration,
        threads=threads,
    )
