"""An evaluation: a data set's references, a system's hypotheses and their score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from asr.scoring.alternation import Matching
from asr.scoring.bootstrap import Interval, interval
from asr.scoring.error_rates import Score, score
from asr.scoring.network_alignment import score_marked
from asr.scoring.pairing import Paired
from asr.scoring.transcripts import UtteranceText
from asr.transcript import Word


@dataclass(frozen=True)
class Evaluation:
    """Hypotheses of a model, or of another system, scored on a data set."""

    name: str
    score: Score
    references: Sequence[UtteranceText]  # without the utterances that failed
    hypotheses: Sequence[str]  # at the same positions
    words: Sequence[Sequence[Word]] = ()  # of the hypotheses, where their times are known
    failures: Sequence[str] = ()  # a sentence for each utterance that is not scored
    audio_seconds: float = 0.0
    wall_seconds: float = 0.0  # from files to text, without loading the model
    units: str = "words"  # or phones, each scored as a word

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
        """The interval of the word error rate."""
        return interval(self.score.utterance_errors, self.speakers)


def score_pairs(name: str, paired: Paired, matching: Matching | None = None) -> Evaluation:
    """Scores the transcripts of any system.

    Args:
        name: of the evaluation.
        paired: references and hypotheses.
        matching: align as sclite does, with alternations; None: texts are plain words.

    Raises:
        AsrError: a text has braces that do not match.
    """
    references = [reference.text for reference in paired.references]
    if matching is None:
        scored = score(references, paired.hypotheses)
    else:
        names = [reference.utterance_id for reference in paired.references]
        scored = score_marked(references, paired.hypotheses, names, matching)
    return Evaluation(name, scored, paired.references, paired.hypotheses)


def pool(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Scores several data sets as one."""
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
