"""Audio files to transcripts, in batches of like length, with bad files set aside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch

from asr.audio import SAMPLE_RATE, audio_duration, load_audio
from asr.errors import AsrError
from asr.recognise import Recogniser

_WINDOW = 16  # batches whose files are sorted by length together
_MAX_SECONDS = 480.0  # of a padded batch: bounds memory, whatever the batch size


@dataclass(frozen=True)
class Transcript:
    """What was said in one file."""

    audio_filepath: str
    duration: float  # seconds
    text: str
    score: float  # natural logarithm, of the decoder's making


class Transcriber:
    """A recogniser that reads files."""

    def __init__(self, recogniser: Recogniser) -> None:
        self._recogniser = recogniser

    @property
    def device(self) -> torch.device:
        return self._recogniser.device

    def transcribe(self, path: str | Path) -> Transcript:
        """Transcribes one audio file.

        Raises:
            AsrError: the file is missing or can't be read as audio.
        """
        (result,) = self.transcribe_files([path], batch_size=1)
        if isinstance(result, AsrError):
            raise result
        return result

    def transcribe_files(
        self, paths: Iterable[str | Path], batch_size: int = 8
    ) -> Iterator[Transcript | AsrError]:
        """Transcribes files in batches; a bad file gives its error and disturbs no other.

        Yields:
            For each path, in the order given, its transcript or what is wrong with the file.
        """
        remaining = iter(paths)
        while window := [Path(path) for path in islice(remaining, _WINDOW * batch_size)]:
            results: dict[int, Transcript | AsrError] = {}
            durations: dict[int, float] = {}
            for index, path in enumerate(window):
                try:
                    durations[index] = audio_duration(path)
                except AsrError as error:
                    results[index] = error
            for batch in _batches(durations, batch_size):
                results |= self._transcribe_batch({index: window[index] for index in batch})
            yield from (results[index] for index in range(len(window)))

    def _transcribe_batch(self, paths: dict[int, Path]) -> dict[int, Transcript | AsrError]:
        results: dict[int, Transcript | AsrError] = {}
        signals = {}
        for index, path in paths.items():
            try:
                signals[index] = load_audio(path)
            except AsrError as error:
                results[index] = error
        if signals:
            hypotheses = self._recogniser.recognise(list(signals.values()))
            for (index, signal), (best, *_) in zip(signals.items(), hypotheses, strict=True):
                duration = len(signal) / SAMPLE_RATE
                results[index] = Transcript(str(paths[index]), duration, best.text, best.score)
        return results


def _batches(durations: dict[int, float], batch_size: int) -> Iterator[Sequence[int]]:
    """Groups indices by duration into batches of bounded count and bounded padded length."""
    batch: list[int] = []
    for index in sorted(durations, key=lambda i: durations[i]):
        full = len(batch) == batch_size or (len(batch) + 1) * durations[index] > _MAX_SECONDS
        if batch and full:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
