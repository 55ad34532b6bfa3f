"""What came of scoring a data set, as an object and as a record for JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from asr.scoring import breakdown
from asr.scoring.bootstrap import LEVEL, REPLICATES, SEED, Interval, interval
from asr.scoring.error_rates import Score, score
from asr.scoring.pairing import Paired, UtteranceText
from asr.transcript import Word

Record = dict[str, Any]

_MOST = 100  # of each kind of confusion in a record


@dataclass(frozen=True)
class Evaluation:
    """What a model, or another system, made of a data set."""

    name: str
    score: Score
    references: Sequence[UtteranceText]  # as they are scored, without the utterances that failed
    hypotheses: Sequence[str]  # at the same positions
    words: Sequence[Sequence[Word]] = ()  # of the hypotheses, where their times are known
    failures: Sequence[str] = ()  # one sentence for each utterance that is not scored
    audio_seconds: float = 0.0
    wall_seconds: float = 0.0  # from files to text, the model already loaded
    units: str = "words"  # or phones, each scored as if it were a word

    @property
    def real_time_factor(self) -> float:
        return self.wall_seconds / self.audio_seconds if self.audio_seconds else math.nan

    @property
    def speakers(self) -> list[str | None]:
        return [reference.speaker for reference in self.references]

    @property
    def durations(self) -> list[float | None]:
        return [reference.duration for reference in self.references]

    @property
    def interval(self) -> Interval | None:
        """Of the word error rate."""
        return interval(self.score.utterance_errors, self.speakers)


def from_pairs(name: str, paired: Paired) -> Evaluation:
    """Scores transcripts that some system made."""
    said = [reference.text for reference in paired.references]
    return Evaluation(name, score(said, paired.hypotheses), paired.references, paired.hypotheses)


def pool(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Several sets scored as if they were one."""
    references = [utterance for e in evaluations for utterance in e.references]
    hypotheses = [hypothesis for e in evaluations for hypothesis in e.hypotheses]
    return Evaluation(
        "+".join(e.name for e in evaluations),
        score([utterance.text for utterance in references], hypotheses),
        references,
        hypotheses,
        [words for e in evaluations for words in e.words],
        [failure for e in evaluations for failure in e.failures],
        sum(e.audio_seconds for e in evaluations),
        sum(e.wall_seconds for e in evaluations),
        evaluations[0].units,
    )


def to_record(evaluation: Evaluation) -> Record:
    """The figures of an evaluation for JSON; rates are fractions.

    They are null where infinite, and where there is nothing that was scored.
    """
    scored = evaluation.score
    wer, cer = (scored.wer, scored.cer) if scored.utterances else (math.nan, math.nan)
    found = evaluation.interval
    return {
        "name": evaluation.name,
        "utterances": scored.utterances,
        "scored": evaluation.units,
        "words": scored.words.reference,
        "wer": finite(wer),
        "wer_interval": _ends(found),
        "interval_over": found and found.over,
        "interval_units": found and found.units,
        "cer": finite(cer) if evaluation.units == "words" else None,
        "substitutions": scored.words.substitutions,
        "deletions": scored.words.deletions,
        "insertions": scored.words.insertions,
        "sentence_errors": scored.wrong_utterances,
        "failed": len(evaluation.failures),
        "audio_seconds": round(evaluation.audio_seconds, 3),
        "wall_seconds": round(evaluation.wall_seconds, 3),
        "rtf": finite(evaluation.real_time_factor),
    }


def to_details(evaluation: Evaluation) -> Record:
    """Where the errors are, for JSON; what :mod:`asr.scoring.breakdown` finds."""
    scored = evaluation.score
    errors, speakers = scored.utterance_errors, evaluation.speakers
    confused = breakdown.confusions(scored.alignments, _MOST)
    return {
        "interval": {"level": LEVEL, "replicates": REPLICATES, "seed": SEED},
        "speakers": _groups(breakdown.by_speaker(errors, speakers)),
        "lengths": _groups(breakdown.by_length(errors, speakers)),
        "speaking_rates": _groups(breakdown.by_rate(errors, speakers, evaluation.durations)),
        "confusions": {
            "substitutions": [
                {"reference": said, "hypothesis": heard, "count": count}
                for said, heard, count in confused.substitutions
            ],
            "deletions": [{"word": word, "count": count} for word, count in confused.deletions],
            "insertions": [{"word": word, "count": count} for word, count in confused.insertions],
        },
        "silence": asdict(breakdown.silence(errors)),
        "confidence": [asdict(group) for group in _confidence(evaluation)],
    }


def _confidence(evaluation: Evaluation) -> list[breakdown.ConfidenceGroup]:
    confidences: list[float] = []
    right: list[bool] = []
    for words, alignment in zip(evaluation.words, evaluation.score.alignments, strict=False):
        if words:
            confidences += [word.confidence for word in words]
            right += alignment.right
    return breakdown.by_confidence(confidences, right)


def _groups(groups: Sequence[breakdown.Group]) -> list[Record]:
    return [
        {
            "name": group.name,
            "utterances": group.utterances,
            "words": group.errors.reference,
            "wer": finite(group.errors.rate),
            "wer_interval": _ends(group.interval),
            "substitutions": group.errors.substitutions,
            "deletions": group.errors.deletions,
            "insertions": group.errors.insertions,
        }
        for group in groups
    ]


def _ends(found: Interval | None) -> list[float] | None:
    return [round(found.low, 6), round(found.high, 6)] if found else None


def finite(value: float) -> float | None:
    """What JSON can hold of a figure."""
    return value if math.isfinite(value) else None
