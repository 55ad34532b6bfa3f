"""Aligns recordings with their texts in batches; a bad pair does not affect the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import mean, median

import numpy as np
from numpy.typing import NDArray

from asr.alignment.excerpts import Excerpt, cut_excerpts
from asr.alignment.log_prob_rows import Rows
from asr.alignment.result import Alignment, time_words
from asr.alignment.text_units import Spelling, spell
from asr.alignment.viterbi import best_path
from asr.audio.read import SAMPLE_RATE, audio_duration, read_pieces
from asr.errors import AsrError
from asr.runtime.ordered import in_order
from asr.transcription.recogniser import Recogniser

_WINDOW = 16  # batches whose files are sorted by length together
# Confidences of words: below both, the text is another one. Of 93 utterances of LibriSpeech's dev
# sets and Common Voice none had less than 0.18 and 0.23 with its own text, none more than 0.05 and
# 0.18 with another's.
_LEAST_MEDIAN, _LEAST_MEAN = 0.1, 0.2
_SHORTEST = 0.001  # seconds, the least length of the last frame


class Aligner:
    """Aligns recordings of any length with their texts.

    The text must be verbatim: missing or superfluous words shift their neighbours and show as words
    of low confidence. The model encodes a recording in excerpts (:mod:`asr.alignment.excerpts`),
    and the search needs little memory (:mod:`asr.alignment.viterbi`).
    """

    def __init__(self, recogniser: Recogniser) -> None:
        self._recogniser = recogniser

    def align(self, audio: str | Path, text: str, batch_size: int = 8) -> Alignment:
        """Aligns one recording.

        Args:
            audio: the file.
            text: its transcript, in any form that :func:`asr.text.normalise` takes.
            batch_size: excerpts of a long recording that the model encodes at a time.

        Raises:
            AsrError: the audio can't be read, or the text can't be spelled or does not fit it.
        """
        (result,) = self.align_files([(audio, text)], batch_size)
        if isinstance(result, AsrError):
            raise result
        return result

    def align_files(
        self,
        pairs: Iterable[tuple[str | Path, str]],
        batch_size: int = 8,
        progress: Callable[[float], object] | None = None,
    ) -> Iterator[Alignment | AsrError]:
        """Aligns recordings; a bad pair yields its error.

        Args:
            pairs: audio files and their texts.
            batch_size: short recordings, or excerpts of long ones, encoded at a time.
            progress: receives the seconds of audio encoded since its last call.

        Yields:
            For each pair, in the order given, its alignment or its error.
        """
        yield from in_order(self.as_done(pairs, batch_size, progress))

    def as_done(
        self,
        pairs: Iterable[tuple[str | Path, str]],
        batch_size: int = 8,
        progress: Callable[[float], object] | None = None,
    ) -> Iterator[tuple[int, Alignment | AsrError]]:
        """As :meth:`align_files`, but each result as soon as it is ready, with its index."""
        advance = progress or (lambda seconds: None)
        remaining = enumerate(pairs)
        while window := list(islice(remaining, _WINDOW * batch_size)):
            jobs = []
            for index, (audio, text) in window:
                try:
                    length = audio_duration(audio)
                    jobs.append(_Job(index, Path(audio), length, self._spell(text, audio)))
                except AsrError as error:
                    yield index, error
            jobs.sort(key=lambda job: job.length)  # similar lengths need little padding
            parts = _cut_all(jobs)
            while batch := list(islice(parts, batch_size)):
                yield from self._encode(batch, advance)

    def _spell(self, text: str, audio: str | Path) -> Spelling:
        try:
            return spell(text, self._recogniser.tokenizer)
        except AsrError as error:
            raise AsrError(f"{audio} can't be aligned: {error}") from error

    def _encode(
        self, batch: Sequence[tuple[_Job, Excerpt | AsrError]], advance: Callable[[float], object]
    ) -> Iterator[tuple[int, Alignment | AsrError]]:
        """Encodes a batch of excerpts; yields the results of recordings that it completes."""
        yield from ((job.index, error) for job, error in batch if isinstance(error, AsrError))
        good = [(job, excerpt) for job, excerpt in batch if isinstance(excerpt, Excerpt)]
        if not good:
            return
        log_probs, lengths = self._recogniser.log_probs([excerpt.samples for _, excerpt in good])
        emissions = zip(good, log_probs, lengths.tolist(), strict=True)
        for (job, excerpt), rows, length in emissions:
            job.add(excerpt, rows[:length], self._recogniser.seconds_per_frame)
            advance(excerpt.kept / SAMPLE_RATE)
            if excerpt.last:
                yield job.index, self._finish(job)

    def _finish(self, job: _Job) -> Alignment | AsrError:
        assert job.rows is not None
        try:
            spans = best_path(job.rows, job.spelling.units)
        except AsrError as error:
            return AsrError(f"{job.audio} can't be aligned: {error}")
        finally:
            job.rows.close()
        tokenizer = self._recogniser.tokenizer
        frame = self._recogniser.seconds_per_frame
        words = time_words(job.spelling, tokenizer.units, spans, frame, job.seconds)
        confidences = [word.confidence for word in words]
        if median(confidences) < _LEAST_MEDIAN and mean(confidences) < _LEAST_MEAN:
            return AsrError(
                f"{job.audio} can't be aligned: the text is not what is spoken in it (confidence "
                f"of its words: {mean(confidences):.2f} in the mean)"
            )
        return Alignment(
            audio_filepath=str(job.audio),
            duration=job.seconds,
            text=" ".join(job.spelling.words),
            score=spans.score,
            unit_kind=tokenizer.kind,
            words=words,
        )


@dataclass
class _Job:
    """A recording with its text, while its excerpts are encoded."""

    index: int
    audio: Path
    length: float  # seconds, by the header
    spelling: Spelling
    samples: int = 0  # encoded so far
    rows: Rows | None = None

    @property
    def seconds(self) -> float:
        return self.samples / SAMPLE_RATE

    def add(self, excerpt: Excerpt, rows: NDArray[np.float32], seconds_per_frame: float) -> None:
        """Appends the log-probabilities of an excerpt, shape (frames, units)."""
        if self.rows is None:
            self.rows = Rows(rows.shape[1])
        self.samples += excerpt.kept
        kept = rows[excerpt.frames(seconds_per_frame)]
        if excerpt.last:  # the model rounds up: frames that begin behind the end are dropped
            inside = math.ceil((self.seconds - _SHORTEST) / seconds_per_frame)
            kept = kept[: max(inside - len(self.rows), 0)]
        self.rows.append(kept)


def _cut_all(jobs: Iterable[_Job]) -> Iterator[tuple[_Job, Excerpt | AsrError]]:
    """The excerpts of all recordings; a recording that can't be read ends with its error."""
    for job in jobs:
        try:
            for excerpt in cut_excerpts(read_pieces(job.audio)):
                yield job, excerpt
        except AsrError as error:
            yield job, error
