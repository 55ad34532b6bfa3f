"""Decoders: log-probabilities of units to text.

A decoder is anything with :class:`Decoder`'s one method. It sees no audio, no model and no batch
mates: each utterance is decoded from its own frames alone.
"""

from __future__ import annotations

from asr.decode.beam import BeamDecoder
from asr.decode.greedy import GreedyDecoder
from asr.decode.hypothesis import Decoder, Hypothesis
from asr.errors import AsrError
from asr.tokenizer import Tokenizer

DECODERS = ("greedy", "beam")

__all__ = ["DECODERS", "BeamDecoder", "Decoder", "GreedyDecoder", "Hypothesis", "make_decoder"]


def make_decoder(name: str, tokenizer: Tokenizer, beam_size: int = 16) -> Decoder:
    """The decoder called ``name``; ``beam_size`` is for the beam search.

    Raises:
        AsrError: there is no such decoder, or the beam size is below one.
    """
    if name == "greedy":
        return GreedyDecoder(tokenizer)
    if name == "beam":
        if beam_size < 1:
            raise AsrError(f"the beam size must be at least 1, not {beam_size}")
        return BeamDecoder(tokenizer, beam_size)
    raise AsrError(f"there is no decoder {name!r}; choose from {', '.join(DECODERS)}")
