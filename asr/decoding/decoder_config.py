"""The decoder config: a beam search's settings as a YAML file, which ``asr tune`` writes and a
model's folder holds.

Paths in it are relative to the file's folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import Field

from asr.config.loading import read_yaml, to_yaml, validate
from asr.config.schema import HeadName
from asr.config.section import Section
from asr.decoding.calibration import Calibration
from asr.decoding.options import BeamOptions, DecodingOptions, LmChoice, SecondPassWeights
from asr.decoding.speech_detection import MAX_ENTROPY
from asr.runtime.files import write_text

OTHER_HEAD: dict[HeadName, HeadName] = {"main": "intermediate", "intermediate": "main"}
DECODER = "decoder.yaml"  # the config's name in a model's folder


class SecondPassConfig(Section):
    """How the search's n-best list is rescored (:mod:`asr.decoding.second_pass`)."""

    readings: Annotated[int, Field(ge=2)] = 100  # hypotheses in the n-best list
    # Of the search (BeamOptions.recombination): the lower, the more its hypotheses differ.
    recombination: Annotated[float, Field(gt=0)] = 2.5
    recurrent: str | None = None  # file of an LSTM language model
    weights: SecondPassWeights = SecondPassWeights()

    def first_pass_options(self, beam: BeamOptions) -> BeamOptions:
        """The options of the search for the n-best list."""
        several = max(beam.nbest, self.readings)
        return replace(beam, nbest=several, recombination=self.recombination)


class DecoderConfig(Section):
    """Language model, lexicon, weights and widths."""

    head: HeadName = "main"  # that is decoded; phones need a lexicon to become words
    lm: str | None = None
    lexicon: str | None = None  # by default the language model's words, spelled or pronounced
    beam: BeamOptions = BeamOptions()
    # The share of each unit in the head's emissions (asr.decoding.label_prior); None: unknown.
    prior: dict[str, Annotated[float, Field(ge=0, le=1)]] | None = None
    second_pass: SecondPassConfig | None = None
    confidence: Calibration = Calibration()
    # Entropy of each emission in nats (asr.decoding.speech_detection) above which an utterance is
    # taken for music or noise; None: everything is taken for speech.
    max_doubt: Annotated[float, Field(gt=0)] | None = MAX_ENTROPY

    def changed_by(self, options: DecodingOptions) -> DecoderConfig:
        """This config with a user's choices in place of its own."""
        config = self
        # Without the language model that they were tuned for, a model's own settings don't apply.
        if options.lm is LmChoice.NONE and options.lexicon is None and options.config is None:
            config = DecoderConfig(max_doubt=config.max_doubt)
        size = options.beam_size or config.beam.beam_size
        beam = replace(config.beam, nbest=options.nbest, beam_size=size)
        changed: dict[str, object] = {"beam": beam}
        # The second pass's weights were tuned together with its language model.
        if not options.rescore or options.lm is not LmChoice.CONFIGURED:
            changed["second_pass"] = None
        if options.lm is LmChoice.NONE:
            changed |= {"lm": None, "lexicon": None}
        elif options.lm is not LmChoice.CONFIGURED:
            changed["lm"] = options.lm
        if options.lexicon is not None:
            changed["lexicon"] = options.lexicon
        return config.model_copy(update=changed)


def read_decoder_config(path: str | Path) -> DecoderConfig:
    """Reads a decoder config; its paths become relative to the working folder.

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


def _with_paths(config: DecoderConfig, seen: Callable[[str], str]) -> DecoderConfig:
    """The config with ``seen`` applied to each of its paths."""
    paths = {"lm": config.lm, "lexicon": config.lexicon}
    changed: dict[str, object] = {key: seen(name) for key, name in paths.items() if name}
    second = config.second_pass
    if second and second.recurrent:
        changed["second_pass"] = second.model_copy(update={"recurrent": seen(second.recurrent)})
    return config.model_copy(update=changed)
