"""Settings of a beam search as a file: what ``asr tune`` finds, and what a model's folder keeps.

Paths in it are seen from the file's folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from asr.config.loading import read_yaml, to_yaml, validate
from asr.config.schema import HeadName
from asr.config.section import Section
from asr.decoding import make_decoder
from asr.decoding.calibration import Calibration
from asr.decoding.hypothesis import Decoder
from asr.decoding.options import BeamOptions, SecondPassWeights
from asr.decoding.speech_detection import LIMIT
from asr.errors import AsrError
from asr.runtime.files import write_text
from asr.tokenizers.tokenizer import PhoneTokenizer, Tokenizer

if TYPE_CHECKING:
    from asr.decoding.lexicon_tree import LexiconTree
    from asr.decoding.second_pass import SecondPass
    from asr.ngram import NgramModel

OTHER_HEAD: dict[HeadName, HeadName] = {"main": "intermediate", "intermediate": "main"}
DECODER = "decoder.yaml"  # its name in a model's folder


class SecondPassConfig(Section):
    """How what the search finds is weighed again (:mod:`asr.decoding.second_pass`)."""

    readings: Annotated[int, Field(ge=2)] = 100  # that the search is to find
    # As the search has it: the narrower, the more its readings differ.
    recombination: Annotated[float, Field(gt=0)] = 2.5
    recurrent: str | None = None  # a recurrent language model
    weights: SecondPassWeights = SecondPassWeights()

    def searched(self, beam: BeamOptions) -> BeamOptions:
        """The options of a search for its readings."""
        several = max(beam.nbest, self.readings)
        return replace(beam, nbest=several, recombination=self.recombination)


class DecoderConfig(Section):
    """Language model, lexicon, weights and widths."""

    head: HeadName = "main"  # of the model; phones need a lexicon to become words
    lm: str | None = None
    lexicon: str | None = None  # by default the language model's words, spelled or pronounced
    beam: BeamOptions = BeamOptions()
    # The share of each unit in what the head emits (asr.decoding.label_prior); none where it isn't
    # known.
    prior: dict[str, Annotated[float, Field(ge=0, le=1)]] | None = None
    second_pass: SecondPassConfig | None = None
    confidence: Calibration = Calibration()
    # How unsure the model may be of speech (asr.decoding.speech_detection), in nats; what is above
    # is music or noise.
    max_doubt: Annotated[float, Field(gt=0)] | None = LIMIT


def read_decoder_config(path: str | Path) -> DecoderConfig:
    """Reads a file of settings; its paths come out as seen from the working folder.

    Raises:
        AsrError: the file can't be read, or a key or a value is wrong.
    """
    path = Path(path)
    config = validate(DecoderConfig, read_yaml(path), f"the decoder config {path}")
    return _with_paths(config, lambda name: str(path.parent / name))


def write_decoder_config(path: str | Path, config: DecoderConfig) -> None:
    """Writes what :func:`read_decoder_config` reads; paths near the file become relative to it."""
    folder = Path(path).resolve().parent

    def stored(name: str) -> str:
        absolute = Path(os.path.abspath(name))
        inside = absolute.is_relative_to(folder)
        return str(absolute.relative_to(folder) if inside else absolute)

    write_text(path, to_yaml(_with_paths(config, stored)))


@dataclass(frozen=True)
class Choice:
    """How log-probabilities become text."""

    decoder: Decoder
    head: HeadName  # which the decoder reads
    second_pass: SecondPass | None = None
    max_doubt: float | None = None  # as DecoderConfig has it; None if nothing is known of the model


def choose_decoder(
    tokenizer_of: Callable[[HeadName], Tokenizer],
    folder: Path,
    *,
    decoder: str | None = None,
    config: str | Path | None = None,
    lm: str | Path | None = None,
    lexicon: str | Path | None = None,
    hotwords: Iterable[str] = (),
    beam_size: int | None = None,
    nbest: int = 1,
    rescore: bool = True,
    threads: int = 1,
) -> Choice:
    """The decoder that a user asks for (:func:`asr.load`) of the model in ``folder``.

    Args:
        tokenizer_of: the units of each head.

    Raises:
        AsrError: the wishes don't agree, or a file can't be read or doesn't fit the units.
    """
    hotwords = list(hotwords)
    wishes = {
        "a decoder config": config,
        "a language model": lm,
        "a lexicon": lexicon,
        "hot words": hotwords,
        "a beam size": beam_size,
        "several readings": nbest > 1,
    }
    wished = [name for name, wish in wishes.items() if wish]
    if decoder == "greedy" and wished:
        raise AsrError(f"the greedy decoder takes no {wished[0].removeprefix('a ')}; choose beam")
    own = folder / DECODER
    source = config or (own if own.exists() else None)
    settings = read_decoder_config(source) if source else DecoderConfig(max_doubt=None)
    if decoder is None:
        decoder = "beam" if wished or source else "greedy"
    if decoder != "beam":
        plain = make_decoder(decoder, tokenizer_of("main"))
        return Choice(plain, "main", max_doubt=settings.max_doubt)
    # Without the language model that they were tuned for, the model's own settings say nothing.
    if str(lm) == "none" and lexicon is None and config is None:
        settings = DecoderConfig(max_doubt=settings.max_doubt)
    beam = replace(settings.beam, nbest=nbest, beam_size=beam_size or settings.beam.beam_size)
    changed: dict[str, object] = {} if rescore else {"second_pass": None}
    if lm is not None:
        # The second pass's weights are of the language model that they were found with.
        changed |= {"lm": str(lm), "second_pass": None}
        if str(lm) == "none":
            changed |= {"lm": None, "lexicon": None}
    if lexicon is not None:
        changed["lexicon"] = str(lexicon)
    settings = settings.model_copy(update=changed)
    # Without words to look for, the main head is read: it is the one whose units are text.
    head = settings.head if settings.lm or settings.lexicon else "main"
    tokenizer = tokenizer_of(head)
    found_lm, tree = load_parts(settings, tokenizer)
    second_pass = None
    if settings.second_pass:
        second_pass = load_second_pass(settings, tokenizer_of, nbest)
        beam = settings.second_pass.searched(beam)
    chosen = make_decoder(
        "beam",
        tokenizer,
        options=beam,
        lm=found_lm,
        lexicon=tree,
        hotwords=hotwords,
        prior=settings.prior if head == settings.head else None,
        calibration=settings.confidence,
        threads=threads,
    )
    return Choice(chosen, head, second_pass, settings.max_doubt)


def load_second_pass(
    config: DecoderConfig, tokenizer_of: Callable[[HeadName], Tokenizer], nbest: int = 1
) -> SecondPass:
    """The second pass of ``config``, which has one.

    Args:
        nbest: how many readings it gives.

    Raises:
        AsrError: its language model can't be read, or its weights ask for a head that is not there.
    """
    from asr.decoding.second_pass import SecondPass
    from asr.neural_lm.scorer import load_scorer

    settings = config.second_pass
    assert settings is not None
    other = OTHER_HEAD[config.head]
    tokenizer = tokenizer_of(other) if settings.weights.head else None
    lm = load_scorer(settings.recurrent) if settings.recurrent else None
    return SecondPass(settings.weights, other if tokenizer else None, tokenizer, lm, nbest)


def load_parts(
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

        lm = load(config.lm)
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


def _with_paths(config: DecoderConfig, seen: Callable[[str], str]) -> DecoderConfig:
    """The config with its paths as ``seen`` makes them of what they are."""
    paths = {"lm": config.lm, "lexicon": config.lexicon}
    changed: dict[str, object] = {key: seen(name) for key, name in paths.items() if name}
    second = config.second_pass
    if second and second.recurrent:
        changed["second_pass"] = second.model_copy(update={"recurrent": seen(second.recurrent)})
    return config.model_copy(update=changed)
