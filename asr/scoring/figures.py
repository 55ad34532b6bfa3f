"""Figures of an evaluation: error rates with their interval, and where the errors are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from asr.scoring.bootstrap import LEVEL, REPLICATES, SEED, Unit
from asr.scoring.breakdown import (
    ConfidenceGroup,
    Confusions,
    Group,
    Silence,
    by_confidence,
    by_label,
    by_length,
    by_rate,
    by_speaker,
    confusions,
    silence,
)
from asr.scoring.error_rates import finite
from asr.scoring.results import Evaluation

_MOST_FREQUENT = 100  # confusions of each kind


@dataclass(frozen=True)
class RunSetup:
    """How and where an evaluation ran."""

    decoder: str
    device: str
    threads: int


@dataclass(frozen=True)
class Details:
    """Where the errors are (:mod:`asr.scoring.breakdown`)."""

    speakers: list[Group]
    lengths: list[Group]
    speaking_rates: list[Group]
    confusions: Confusions
    silence: Silence
    confidence: list[ConfidenceGroup]
    labels: list[Group]  # of STM segments

    def to_json(self) -> dict[str, Any]:
        return {
            "interval": {"level": LEVEL, "replicates": REPLICATES, "seed": SEED},
            "speakers": [group.to_json() for group in self.speakers],
            "lengths": [group.to_json() for group in self.lengths],
            "speaking_rates": [group.to_json() for group in self.speaking_rates],
            "confusions": self.confusions.to_json(),
            "silence": asdict(self.silence),
            "confidence": [asdict(group) for group in self.confidence],
        } | ({"labels": [group.to_json() for group in self.labels]} if self.labels else {})


@dataclass(frozen=True)
class Figures:
    """Error rates of a data set, named as in JSON.

    Rates are fractions, None where infinite and where nothing was scored.
    """

    name: str
    utterances: int
    scored: str  # words or phones
    words: int  # of the references
    wer: float | None
    wer_interval: list[float] | None
    interval_over: Unit | None
    interval_units: int | None
    cer: float | None
    substitutions: int
    deletions: int
    insertions: int
    sentence_errors: int  # utterances with at least one error
    failed: int  # utterances that are not scored
    audio_seconds: float
    wall_seconds: float
    rtf: float | None  # real-time factor
    run: RunSetup | None = None
    details: Details | None = None

    def to_json(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in _FLAT}
        run = asdict(self.run) if self.run else {}
        return own | run | (self.details.to_json() if self.details else {})

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Figures:
        """Reads the figures that :meth:`to_json` wrote, without their details."""
        has_run = "decoder" in record
        run = RunSetup(*(record[field.name] for field in fields(RunSetup))) if has_run else None
        return cls(**{name: record[name] for name in _FLAT}, run=run)


_FLAT = [field.name for field in fields(Figures) if field.name not in ("run", "details")]


def summarise(
    evaluation: Evaluation, run: RunSetup | None = None, *, details: bool = False
) -> Figures:
    """The figures of an evaluation.

    Args:
        evaluation: the scored data set.
        run: how and where it was transcribed, if it was.
        details: find out where the errors are as well.
    """
    scored = evaluation.score
    wer, cer = (scored.wer, scored.cer) if scored.utterances else (math.nan, math.nan)
    interval = evaluation.interval
    return Figures(
        name=evaluation.name,
        utterances=scored.utterances,
        scored=evaluation.units,
        words=scored.words.reference,
        wer=finite(wer),
        wer_interval=interval.rounded if interval else None,
        interval_over=interval.over if interval else None,
        interval_units=interval.units if interval else None,
        cer=finite(cer) if evaluation.units == "words" else None,
        substitutions=scored.words.substitutions,
        deletions=scored.words.deletions,
        insertions=scored.words.insertions,
        sentence_errors=scored.wrong_utterances,
        failed=len(evaluation.failures),
        audio_seconds=round(evaluation.audio_seconds, 3),
        wall_seconds=round(evaluation.wall_seconds, 3),
        rtf=finite(evaluation.real_time_factor),
        run=run,
        details=_details(evaluation) if details else None,
    )


def _details(evaluation: Evaluation) -> Details:
    errors, speakers = evaluation.score.utterance_errors, evaluation.speakers
    return Details(
        speakers=by_speaker(errors, speakers),
        lengths=by_length(errors, speakers),
        speaking_rates=by_rate(errors, speakers, evaluation.durations),
        confusions=confusions(evaluation.score.alignments, _MOST_FREQUENT),
        silence=silence(errors),
        confidence=_by_confidence(evaluation),
        labels=by_label(errors, speakers, [u.labels for u in evaluation.references]),
    )


def _by_confidence(evaluation: Evaluation) -> list[ConfidenceGroup]:
    confidences: list[float] = []
    right: list[bool] = []
    for words, alignment in zip(evaluation.words, evaluation.score.alignments, strict=False):
        if words:
            confidences += [word.confidence for word in words]
            right += alignment.right
    return by_confidence(confidences, right)
