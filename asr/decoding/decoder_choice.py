"""The decoder that a user's options and a model's decoder config ask for, with all its parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from asr.config.schema import HeadName
from asr.decoding import make_decoder
from asr.decoding.decoder_config import (
    DECODER,
    OTHER_HEAD,
    DecoderConfig,
    read_decoder_config,
)
from asr.decoding.hypothesis import Decoder
from asr.decoding.options import DecodingOptions
from asr.errors import AsrError
from asr.tokenizers.tokenizer import PhoneTokenizer, Tokenizer

if TYPE_CHECKING:
    from asr.decoding.lexicon_tree import LexiconTree
    from asr.decoding.second_pass import SecondPass
    from asr.ngram import NgramModel


@dataclass(frozen=True)
class DecoderChoice:
    """How log-probabilities become text."""

    decoder: Decoder
    head: HeadName  # the head that is decoded
    second_pass: SecondPass | None = None
    max_entropy: float | None = None  # DecoderConfig.max_doubt; None: the model has no config


def choose_decoder(
    tokenizer_of: Callable[[HeadName], Tokenizer],
    folder: Path,
    options: DecodingOptions,
    threads: int = 1,
) -> DecoderChoice:
    """The decoder that a user asks for.

    Args:
        tokenizer_of: the units of each head.
        folder: the model's folder.
        options: the user's choices.
        threads: utterances of a batch that are decoded at a time.

    Raises:
        AsrError: the options don't agree, or a file can't be read or doesn't fit the units.
    """
    beam_settings = options.beam_search_settings
    if options.decoder == "greedy" and beam_settings:
        refused = beam_settings[0].removeprefix("a ")
        raise AsrError(f"the greedy decoder takes no {refused}; choose beam")
    own = folder / DECODER
    source = options.config or (own if own.exists() else None)
    config = read_decoder_config(source) if source else DecoderConfig(max_doubt=None)
    name = options.decoder or ("beam" if beam_settings or source else "greedy")
    if name != "beam":
        plain = make_decoder(name, tokenizer_of("main"))
        return DecoderChoice(plain, "main", max_entropy=config.max_doubt)
    config = config.changed_by(options)
    # Without words to look for, the main head is decoded: it is the one whose units are text.
    head = config.head if config.lm or config.lexicon else "main"
    tokenizer = tokenizer_of(head)
    lm, lexicon = load_lm_and_lexicon(config, tokenizer)
    beam, second_pass = config.beam, None
    if config.second_pass:
        second_pass = load_second_pass(config, tokenizer_of, options.nbest)
        beam = config.second_pass.first_pass_options(beam)
    decoder = make_decoder(
        "beam",
        tokenizer,
        options=beam,
        lm=lm,
        lexicon=lexicon,
        hotwords=options.hotwords,
        prior=config.prior if head == config.head else None,
        calibration=config.confidence,
        threads=threads,
    )
    return DecoderChoice(decoder, head, second_pass, config.max_doubt)


def load_second_pass(
    config: DecoderConfig, tokenizer_of: Callable[[HeadName], Tokenizer], nbest: int = 1
) -> SecondPass:
    """The second pass of ``config``, which has one.

    Args:
        nbest: hypotheses of each utterance that it keeps.

    Raises:
        AsrError: its language model can't be read, or the model lacks the head that it needs.
    """
    from asr.decoding.second_pass import SecondPass
    from asr.neural_lm.scorer import load_scorer

    settings = config.second_pass
    assert settings is not None
    other = OTHER_HEAD[config.head]
    tokenizer = tokenizer_of(other) if settings.weights.head else None
    lm = load_scorer(settings.recurrent) if settings.recurrent else None
    return SecondPass(settings.weights, other if tokenizer else None, tokenizer, lm, nbest)


def load_lm_and_lexicon(
    config: DecoderConfig, tokenizer: Tokenizer
) -> tuple[NgramModel | None, LexiconTree | None]:
    """The language model of ``config``, and its words as the tokenizer's units.

    Raises:
        AsrError: a file can't be read, or the lexicon doesn't fit the units.
    """
    from asr.decoding.lexicon_tree import LexiconTree, spelled

    lm = None
    if config.lm:
        from asr.ngram import load
        from asr.ngram.letter_case import in_upper_case

        lm = in_upper_case(load(config.lm), config.lm)
    if config.lexicon:
        from asr.lexicon import read_entries

        return lm, LexiconTree.build(read_entries(config.lexicon, tokenizer))
    if lm is None:
        return None, None
    words = lm.words[3:]  # behind <unk>, <s> and </s>
    if tokenizer.kind == PhoneTokenizer.kind:
        from asr.lexicon.build import build_lexicon
        from asr.lexicon.pronouncer import english

        return lm, LexiconTree.build(build_lexicon(words, english())[0].entries(tokenizer)[0])
    return lm, LexiconTree.build(spelled(words, tokenizer))
