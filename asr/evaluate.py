"""Scoring a model on data sets."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from asr.corpora.librispeech import read_subset
from asr.errors import AsrError
from asr.manifest import Utterance, read_manifest
from asr.progress import track
from asr.score import Score, alignment, score
from asr.text import normalise
from asr.transcribe import Transcriber


@dataclass(frozen=True)
class DataSet:
    """Utterances that are scored together."""

    name: str
    utterances: Sequence[Utterance]


@dataclass(frozen=True)
class Evaluation:
    """What a model made of a data set."""

    name: str
    score: Score
    references: Sequence[Utterance]  # texts in normal form, without the utterances that failed
    hypotheses: Sequence[str]  # at the same positions
    failures: Sequence[str]  # one sentence for each utterance whose audio could not be read
    audio_seconds: float
    wall_seconds: float  # from files to text, the model already loaded

    @property
    def real_time_factor(self) -> float:
        return self.wall_seconds / self.audio_seconds if self.audio_seconds else math.nan


def read_data(path: str | Path) -> DataSet:
    """A manifest, or a folder in LibriSpeech's layout, to a data set named after it.

    Raises:
        AsrError: it is neither, or can't be read.
    """
    path = Path(path)
    if path.is_dir():
        utterances, _ = read_subset(path)
        if not utterances:
            raise AsrError(f"{path} holds no utterances in LibriSpeech's layout (*.trans.txt)")
        return DataSet(path.resolve().name, utterances)
    return DataSet(path.stem, read_manifest(path))


def evaluate(transcriber: Transcriber, data: DataSet, batch_size: int = 8) -> Evaluation:
    """Transcribes a data set and scores it; text is compared in normal form."""
    references: list[Utterance] = []
    hypotheses: list[str] = []
    failures: list[str] = []
    seconds = 0.0
    start = time.perf_counter()
    results = transcriber.transcribe_files(
        [utterance.audio_filepath for utterance in data.utterances], batch_size
    )
    paired = zip(data.utterances, results, strict=True)
    for utterance, transcript in track(paired, data.name, len(data.utterances)):
        if isinstance(transcript, AsrError):
            failures.append(f"{utterance.utterance_id}: {transcript}")
            continue
        references.append(utterance)
        hypotheses.append(normalise(transcript.text))
        seconds += transcript.duration
    wall = time.perf_counter() - start
    result = score([normalise(utterance.text) for utterance in references], hypotheses)
    return Evaluation(data.name, result, references, hypotheses, failures, seconds, wall)


def pool(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Several sets scored as if they were one."""
    references = [utterance for e in evaluations for utterance in e.references]
    hypotheses = [hypothesis for e in evaluations for hypothesis in e.hypotheses]
    return Evaluation(
        "+".join(e.name for e in evaluations),
        score([normalise(utterance.text) for utterance in references], hypotheses),
        references,
        hypotheses,
        [failure for e in evaluations for failure in e.failures],
        sum(e.audio_seconds for e in evaluations),
        sum(e.wall_seconds for e in evaluations),
    )


def to_record(evaluation: Evaluation) -> dict[str, Any]:
    """The figures of an evaluation for JSON; rates are fractions, null where infinite."""
    scored = evaluation.score
    return {
        "name": evaluation.name,
        "utterances": scored.utterances,
        "words": scored.words.reference,
        "wer": _finite(scored.wer),
        "cer": _finite(scored.cer),
        "substitutions": scored.words.substitutions,
        "deletions": scored.words.deletions,
        "insertions": scored.words.insertions,
        "sentence_errors": scored.wrong_utterances,
        "failed": len(evaluation.failures),
        "audio_seconds": round(evaluation.audio_seconds, 3),
        "wall_seconds": round(evaluation.wall_seconds, 3),
        "rtf": _finite(evaluation.real_time_factor),
    }


def describe_machine(transcriber: Transcriber) -> dict[str, Any]:
    """Where the evaluation ran."""
    return {"device": str(transcriber.device), "threads": torch.get_num_threads()}


def print_table(records: Sequence[dict[str, Any]], title: str, console: Console) -> None:
    """The figures of :func:`to_record` as a table; a record may name its ``decoder``."""
    table = Table(title=title, title_justify="left")
    table.add_column("set")
    for column in ("decoder", "utt.", "words", "WER %", "sub", "del", "ins", "CER %", "sent. err."):
        table.add_column(column, justify="right")
    table.add_column("x real time", justify="right")
    for record in records:
        wrong = record["sentence_errors"] / max(1, record["utterances"])
        table.add_row(
            record["name"],
            record.get("decoder", ""),
            str(record["utterances"]),
            str(record["words"]),
            _percent(record["wer"]),
            *(str(record[key]) for key in ("substitutions", "deletions", "insertions")),
            _percent(record["cer"]),
            _percent(wrong),
            f"{1 / record['rtf']:.0f}" if record["rtf"] else "-",
        )
    console.print(table)


def print_alignments(evaluation: Evaluation, console: Console) -> None:
    """Reference against hypothesis of every utterance, with the errors marked."""
    for utterance, hypothesis in zip(evaluation.references, evaluation.hypotheses, strict=True):
        picture = alignment(normalise(utterance.text), hypothesis)
        console.print(utterance.utterance_id, style="bold", markup=False, highlight=False)
        console.print(picture + "\n", markup=False, highlight=False, soft_wrap=True)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:.2f}"
