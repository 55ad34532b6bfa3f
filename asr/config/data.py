"""Settings of the data: sets, their folders, and the augmentation of training audio."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from asr.config.section import Fraction, Natural, Positive, Seconds, Section, Unit, Weight


class CorpusConfig(Section):
    """A corpus that `asr prepare` knows by name."""

    corpus: str = Field(description="Name of the corpus, as `asr prepare --help` lists it.")
    subsets: tuple[str, ...] = Field(
        (), description="Its speakers, tables or data directories to take; by default all."
    )


class DataConfig(Section):
    """Manifests, each a subset's name (``manifests/NAME.jsonl``) or a .jsonl path."""

    manifests: str = Field(
        "data/manifests", description="Folder that prepare writes manifests to and names refer to."
    )
    cache: str = Field(
        "data/cache",
        description="Folder for decoded audio, 32 kB a second, written when first needed.",
    )
    train: tuple[str, ...] = Field(min_length=1, description="Manifests to train on.")
    dev: tuple[str, ...] = Field(
        min_length=1, description="Manifests to score after every epoch and to tune decoders on."
    )
    test: tuple[str, ...] = Field((), description="Manifests that `asr run` scores at the end.")
    tune: dict[str, str] = Field(
        {},
        description="For each test set, the set that its decoder is tuned on; by default the first "
        "of dev.",
    )
    tables: dict[str, str] = Field(
        {},
        description="For each set that is a table of transcripts (such as Common Voice's), its "
        "path below the folder given as --data.",
    )
    corpora: dict[str, CorpusConfig] = Field(
        {},
        description="For each set that is a corpus other than LibriSpeech, which one, looked for "
        "in the folders given as --data.",
    )
    dev_utterances: Annotated[Positive, Unit("utterances")] = Field(
        250, description="Size of the evenly spaced part of dev that is scored after every epoch."
    )
    max_seconds: Seconds = Field(
        36.0, description="Longest training utterance; longer ones are reported and left out."
    )


class AugmentConfig(Section):
    """Data augmentation, drawn anew in every epoch."""

    speeds: tuple[Annotated[float, Field(ge=0.5, le=2)], ...] = Field(
        (0.9, 1.0, 1.1),
        min_length=1,
        description="Factors of speed, pitch included (Ko et al. 2015).",
    )
    vocal_tract: Annotated[float, Field(ge=0, le=0.3)] = Field(
        0.0,
        description="Largest part by which frequencies are stretched or compressed, as by a "
        "shorter or longer vocal tract (Jaitly and Hinton 2013).",
    )
    noise: Fraction = Field(
        0.0,
        description="Part of the utterances with white to brown noise, 5 to 30 dB below the "
        "speech (asr.audio.degradation).",
    )
    echo: Fraction = Field(
        0.0,
        description="Part of the utterances with the echo of a room, 0.2 to 0.8 s of "
        "reverberation.",
    )
    telephone: Fraction = Field(0.0, description="Part of the utterances over a telephone line.")
    frequency_masks: Annotated[Natural, Unit("masks")] = Field(
        2,
        description="Masks of mel bins (SpecAugment, Park et al. 2019): masked parts take the "
        "utterance's mean.",
    )
    frequency_width: Annotated[Natural, Unit("mel bins")] = Field(
        27, description="Widest frequency mask."
    )
    time_masks_per_second: Annotated[Weight, Unit("masks/s")] = Field(
        0.5, description="Time masks for each second of audio."
    )
    time_width: Annotated[Natural, Unit("frames of 10 ms")] = Field(
        40, description="Widest time mask."
    )
