"""Scoring a model on data sets."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from asr.corpora.librispeech import find_subsets, read_subset
from asr.corpora.manifest import Utterance, scan_manifest
from asr.errors import AsrError
from asr.runtime.progress import track
from asr.runtime.threads import count_threads
from asr.scoring.error_rates import score
from asr.scoring.pairing import UtteranceText
from asr.scoring.results import Evaluation
from asr.text import normalise
from asr.transcript import Transcript, Word
from asr.transcription.transcriber import Transcriber


@dataclass(frozen=True)
class DataSet:
    """Utterances that are scored together."""

    name: str
    utterances: Sequence[Utterance]
    problems: Sequence[str] = ()  # what is wrong with all that is no utterance
    source: str = ""  # the path it was read from


def read_sets(paths: Iterable[str | Path]) -> list[DataSet]:
    """Data sets of several paths, as :func:`read_data`; those of one name go by their paths.

    Raises:
        AsrError: one can't be read, or is given twice.
    """
    sets = [data for path in paths for data in read_data(path)]
    names = Counter(data.name for data in sets)
    sets = [replace(data, name=data.source) if names[data.name] > 1 else data for data in sets]
    for name, times in Counter(data.name for data in sets).items():
        if times > 1:
            raise AsrError(f"the data set {name} is given {times} times; give it once")
    return sets


def read_data(path: str | Path) -> list[DataSet]:
    """A manifest, or a folder in LibriSpeech's layout, to data sets named after what they are.

    A folder of several subsets gives one data set for each.

    Raises:
        AsrError: it is neither, can't be read, or has no line that can.
    """
    path = Path(path)
    if not path.is_dir():
        found, problems = scan_manifest(path)
        if not found:
            raise problems[0]
        return [DataSet(path.stem, found, list(map(str, problems)), str(path))]
    sets = []
    for folder in find_subsets(path) or [path]:
        utterances, left_out = read_subset(folder)
        if not utterances:
            why = f" that can be used; the first problem is {left_out[0]}" if left_out else ""
            raise AsrError(
                f"{folder} holds no utterances in LibriSpeech's layout (*.trans.txt){why}"
            )
        name = folder.resolve().name
        sets.append(DataSet(name, utterances, list(map(str, left_out)), str(folder)))
    return sets


def evaluate(transcriber: Transcriber, data: DataSet, batch_size: int = 8) -> Evaluation:
    """Transcribes a data set and scores it; text is compared in normal form.

    Of a model of phones whose decoder has no lexicon, the phones are scored, and the boundaries
    between words.
    """
    references: list[UtteranceText] = []
    hypotheses: list[str] = []
    words: list[Sequence[Word]] = []
    failures = list(data.problems)
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
        references.append(
            UtteranceText(
                utterance.utterance_id,
                transcriber.reference(utterance.text),
                utterance.speaker,
                transcript.duration,
                utterance.audio_filepath,
            )
        )
        text = normalise(transcript.text) if transcriber.writes_words else transcript.text
        hypotheses.append(text)
        words.append(_words(transcript, text))
        seconds += transcript.duration
    wall = time.perf_counter() - start
    result = score([reference.text for reference in references], hypotheses)
    units = "words" if transcriber.writes_words else "phones"
    return Evaluation(
        data.name, result, references, hypotheses, words, failures, seconds, wall, units
    )


def describe_run(transcriber: Transcriber) -> dict[str, Any]:
    """How and where an evaluation ran."""
    return {
        "decoder": transcriber.decoder_name,
        "device": transcriber.device,
        "threads": count_threads(),
    }


def _words(transcript: Transcript, text: str) -> Sequence[Word]:
    """The words with their times, if they are those that are scored."""
    words = transcript.words
    return words if [word.text for word in words] == text.split() else ()
