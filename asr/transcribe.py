"""Audio files to transcripts, in batches of like length, with bad files set aside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch

from asr.audio import SAMPLE_RATE, audio_duration, load_audio
from asr.decode import Hypothesis
from asr.errors import AsrError
from asr.recognise import Recogniser
from asr.text import normalise

_WINDOW = 16  # batches whose files are sorted by length together
_MAX_SECONDS = 480.0  # of a padded batch: bounds memory, whatever the batch size


@dataclass(frozen=True)
class TimedWord:
    """A word of a transcript and when it was said."""

    text: str
    start: float  # seconds
    end: float  # seconds
    confidence: float  # 0 to 1, of the decoder's making


@dataclass(frozen=True)
class Reading:
    """One of several readings of a file."""

    text: str
    score: float  # natural logarithm, of the decoder's making
    acoustic_score: float  # natural logarithm
    lm_score: float  # natural logarithm, unweighted


@dataclass(frozen=True)
class Transcript:
    """What was said in one file."""

    audio_filepath: str
    duration: float  # seconds
    text: str
    score: float  # natural logarithm, of the decoder's making
    words: tuple[TimedWord, ...] = ()  # of decoders that tell times
    readings: tuple[Reading, ...] = ()  # all of them, best first, where several were asked for


class Transcriber:
    """A recogniser that reads files."""

    def __init__(self, recogniser: Recogniser) -> None:
        self._recogniser = recogniser

    @property
    def device(self) -> torch.device:
        return self._recogniser.device

    @property
    def decoder_name(self) -> str:
        """What it searches with: greedy, beam, or beam + LM."""
        return self._recogniser.decoder_name

    @property
    def writes_words(self) -> bool:
        """False if it writes phones, because its decoder has no lexicon to make words of them."""
        return self._recogniser.writes_words

    def reference(self, text: str) -> str:
        """``text`` in the form in which it is transcribed where no error is made."""
        text = normalise(text)
        return text if self.writes_words else self._recogniser.tokenizer.transcript(text)

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
            for (index, signal), found in zip(signals.items(), hypotheses, strict=True):
                duration = len(signal) / SAMPLE_RATE
                results[index] = self._transcript(str(paths[index]), duration, found)
        return results

    def _transcript(self, path: str, duration: float, found: Sequence[Hypothesis]) -> Transcript:
        best = found[0]
        frame = self._recogniser.seconds_per_frame

        def seconds(frames: int) -> float:
            return round(min(frames * frame, duration), 3)

        words = tuple(
            TimedWord(w.text, seconds(w.start), seconds(w.end), round(w.confidence, 4))
            for w in best.words
        )
        readings = [Reading(h.text, h.score, h.acoustic_score, h.lm_score) for h in found]
        several = tuple(readings) if len(readings) > 1 else ()
        return Transcript(path, duration, best.text, best.score, words, several)


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
