"""Scoring a model on data sets."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from asr.corpora.librispeech import find_subsets, read_subset
from asr.errors import AsrError
from asr.manifest import Utterance, read_manifest
from asr.progress import track
from asr.score import Score, alignment, score
from asr.text import normalise
from asr.transcribe import Transcriber

_WIDTH = 100  # characters of a table that is not shown in a terminal


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
    references: Sequence[Utterance]  # texts as they are scored, without the utterances that failed
    hypotheses: Sequence[str]  # at the same positions
    failures: Sequence[str]  # one sentence for each utterance whose audio could not be read
    audio_seconds: float
    wall_seconds: float  # from files to text, the model already loaded
    units: str = "words"  # or phones, each scored as if it were a word

    @property
    def real_time_factor(self) -> float:
        return self.wall_seconds / self.audio_seconds if self.audio_seconds else math.nan


def read_data(path: str | Path) -> list[DataSet]:
    """A manifest, or a folder in LibriSpeech's layout, to data sets named after what they are.

    A folder of several subsets gives one data set for each.

    Raises:
        AsrError: it is neither, or can't be read.
    """
    path = Path(path)
    if not path.is_dir():
        return [DataSet(path.stem, read_manifest(path))]
    sets = []
    for folder in find_subsets(path) or [path]:
        utterances, _ = read_subset(folder)
        if not utterances:
            raise AsrError(f"{folder} holds no utterances in LibriSpeech's layout (*.trans.txt)")
        sets.append(DataSet(folder.resolve().name, utterances))
    return sets


def evaluate(transcriber: Transcriber, data: DataSet, batch_size: int = 8) -> Evaluation:
    """Transcribes a data set and scores it; text is compared in normal form.

    Of a model of phones whose decoder has no lexicon, the phones are scored, and the boundaries
    between words.
    """
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
        references.append(replace(utterance, text=transcriber.reference(utterance.text)))
        words = transcriber.writes_words
        hypotheses.append(normalise(transcript.text) if words else transcript.text)
        seconds += transcript.duration
    wall = time.perf_counter() - start
    result = score([utterance.text for utterance in references], hypotheses)
    units = "words" if transcriber.writes_words else "phones"
    return Evaluation(data.name, result, references, hypotheses, failures, seconds, wall, units)


def pool(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Several sets scored as if they were one."""
    references = [utterance for e in evaluations for utterance in e.references]
    hypotheses = [hypothesis for e in evaluations for hypothesis in e.hypotheses]
    return Evaluation(
        "+".join(e.name for e in evaluations),
        score([utterance.text for utterance in references], hypotheses),
        references,
        hypotheses,
        [failure for e in evaluations for failure in e.failures],
        sum(e.audio_seconds for e in evaluations),
        sum(e.wall_seconds for e in evaluations),
        evaluations[0].units,
    )


def to_record(evaluation: Evaluation) -> dict[str, Any]:
    """The figures of an evaluation for JSON; rates are fractions, null where infinite."""
    scored = evaluation.score
    return {
        "name": evaluation.name,
        "utterances": scored.utterances,
        "scored": evaluation.units,
        "words": scored.words.reference,
        "wer": _finite(scored.wer),
        "cer": _finite(scored.cer) if evaluation.units == "words" else None,
        "substitutions": scored.words.substitutions,
        "deletions": scored.words.deletions,
        "insertions": scored.words.insertions,
        "sentence_errors": scored.wrong_utterances,
        "failed": len(evaluation.failures),
        "audio_seconds": round(evaluation.audio_seconds, 3),
        "wall_seconds": round(evaluation.wall_seconds, 3),
        "rtf": _finite(evaluation.real_time_factor),
    }


def describe_run(transcriber: Transcriber) -> dict[str, Any]:
    """How and where an evaluation ran."""
    return {
        "decoder": transcriber.decoder_name,
        "device": str(transcriber.device),
        "threads": torch.get_num_threads(),
    }


def print_table(records: Sequence[dict[str, Any]], title: str, console: Console) -> None:
    """The figures of :func:`to_record`, each record with its ``decoder``, as a table."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("set", "decoder"):
        table.add_column(column, no_wrap=True)
    for column in ("utt.", "words", "WER %", "sub", "del", "ins", "CER %", "SER %", "x real time"):
        table.add_column(column, justify="right", no_wrap=True)
    for record in records:
        wrong = record["sentence_errors"] / max(1, record["utterances"])
        table.add_row(
            record["name"] + ("*" if record.get("scored") == "phones" else ""),
            record["decoder"],
            str(record["utterances"]),
            str(record["words"]),
            _percent(record["wer"]),
            *(str(record[key]) for key in ("substitutions", "deletions", "insertions")),
            _percent(record["cer"]),
            _percent(wrong),
            f"{1 / record['rtf']:.0f}" if record["rtf"] else "-",
        )
    if any(record.get("scored") == "phones" for record in records):
        table.caption = "* phones, not words"
    if not console.is_terminal:  # a file or a pipe has no width that the table would have to fit
        console = Console(file=console.file, width=_WIDTH)
    console.print(table)


def print_alignments(evaluation: Evaluation, console: Console) -> None:
    """Reference against hypothesis of every utterance, with the errors marked."""
    for utterance, hypothesis in zip(evaluation.references, evaluation.hypotheses, strict=True):
        picture = alignment(utterance.text, hypothesis)
        console.print(utterance.utterance_id, style="bold", markup=False, highlight=False)
        console.print(picture + "\n", markup=False, highlight=False, soft_wrap=True)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:.2f}"
