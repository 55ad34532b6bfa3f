"""Evaluation of a model on data sets."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import soundfile

from asr.audio.read import SAMPLE_RATE
from asr.corpora.librispeech import find_subsets, read_subset
from asr.corpora.manifest import Utterance, scan_manifest
from asr.corpora.utterance_audio import load_utterance
from asr.errors import AsrError
from asr.runtime.progress import track
from asr.runtime.threads import count_threads
from asr.scoring.error_rates import score
from asr.scoring.figures import RunSetup
from asr.scoring.results import Evaluation
from asr.scoring.transcripts import UtteranceText
from asr.text import normalise
from asr.transcript import Transcript, Word
from asr.transcription.transcriber import Transcriber


@dataclass(frozen=True)
class DataSet:
    """Utterances that are scored together."""

    name: str
    utterances: Sequence[Utterance]
    problems: Sequence[str] = ()  # a sentence for each utterance that can't be used
    source: str = ""  # the path it was read from


def read_sets(paths: Iterable[str | Path]) -> list[DataSet]:
    """Reads data sets as :func:`read_data` does; sets of equal name are named by their paths.

    Raises:
        AsrError: a set can't be read, or is given twice.
    """
    sets = [data for path in paths for data in read_data(path)]
    names = Counter(data.name for data in sets)
    sets = [replace(data, name=data.source) if names[data.name] > 1 else data for data in sets]
    for name, times in Counter(data.name for data in sets).items():
        if times > 1:
            raise AsrError(f"the data set {name} is given {times} times; give it once")
    return sets


def read_data(path: str | Path) -> list[DataSet]:
    """Reads a manifest, or each subset of a folder in LibriSpeech's layout, as a data set.

    Raises:
        AsrError: the path is neither, can't be read, or has no utterance that can be used.
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
    """Transcribes a data set and scores the transcripts in normal form.

    A model of phones whose decoder has no lexicon is scored on phones and word boundaries.
    """
    references: list[UtteranceText] = []
    hypotheses: list[str] = []
    words: list[Sequence[Word]] = []
    failures = list(data.problems)
    seconds = 0.0
    start = time.perf_counter()
    results = _transcribe(transcriber, data.utterances, batch_size)
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
                utterance.audio_filepath if utterance.offset is None else None,
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


def _transcribe(
    transcriber: Transcriber, utterances: Sequence[Utterance], batch_size: int
) -> Iterator[Transcript | AsrError]:
    """Transcribes utterances; segments of recordings are cut into temporary files."""
    with tempfile.TemporaryDirectory(prefix="asr-") as scratch:
        cuts: dict[int, Path] = {}
        errors: dict[int, AsrError] = {}

        def paths() -> Iterator[str | Path]:
            for index, utterance in enumerate(utterances):
                if utterance.offset is None:
                    yield utterance.audio_filepath
                    continue
                cuts[index] = Path(scratch, f"{index}.wav")
                try:
                    samples = load_utterance(utterance)
                except AsrError as error:
                    errors[index] = error
                else:
                    soundfile.write(cuts[index], samples, SAMPLE_RATE, subtype="FLOAT")
                yield cuts[index]

        for index, result in enumerate(transcriber.transcribe_files(paths(), batch_size)):
            yield errors.get(index, result)
            if index in cuts:
                cuts[index].unlink(missing_ok=True)


def describe_run(transcriber: Transcriber) -> RunSetup:
    """How and where a transcriber runs."""
    return RunSetup(transcriber.decoder_name, transcriber.device, count_threads())


def _words(transcript: Transcript, text: str) -> Sequence[Word]:
    """The words with their times, if they are the scored ones."""
    words = transcript.words
    return words if [word.text for word in words] == text.split() else ()
