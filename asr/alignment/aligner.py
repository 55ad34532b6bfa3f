"""Recordings and their texts to alignments, in batches, with bad pairs set aside."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr.alignment.excerpts import Excerpt, excerpts
from asr.alignment.log_prob_rows import Rows
from asr.alignment.result import Alignment, timed
from asr.alignment.text_units import Spelling, spell
from asr.alignment.viterbi import best_path
from asr.audio.read import SAMPLE_RATE, audio_duration, read_pieces
from asr.errors import AsrError
from asr.runtime.ordered import in_order
from asr.transcription.recogniser import Recogniser

_WINDOW = 16  # batches whose files are sorted by length together
_SHORTEST = 0.001  # seconds that the last frame has at least: no unit is of no length


class Aligner:
    """A model that finds a known text in a recording.

    The text must be what is said, in order: words that are missing in it or too much in it shift
    their neighbours, and show as words of low confidence. A recording may have any length: the
    model hears it in pieces (:mod:`asr.alignment.excerpts`), and the search needs little memory
    (:mod:`asr.alignment.viterbi`).
    """

    def __init__(self, recogniser: Recogniser) -> None:
        self._recogniser = recogniser

    def align(self, audio: str | Path, text: str, batch_size: int = 8) -> Alignment:
        """Aligns one recording.

        Args:
            audio: the file.
            text: what is said in it, in any form that :func:`asr.text.normalise` takes.
            batch_size: excerpts of a long recording that the model hears at a time.

        Raises:
            AsrError: the audio can't be read, the text can't be spelled, or they don't fit.
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
        """Aligns recordings; a bad pair gives its error and disturbs no other.

        Args:
            pairs: audio files and their texts.
            batch_size: short recordings, or excerpts of long ones, that the model hears at a time.
            progress: is told again and again how many seconds of audio have been heard since.

        Yields:
            For each pair, in the order given, its alignment or what is wrong with it.
        """
        yield from in_order(self.as_done(pairs, batch_size, progress))

    def as_done(
        self,
        pairs: Iterable[tuple[str | Path, str]],
        batch_size: int = 8,
        progress: Callable[[float], object] | None = None,
    ) -> Iterator[tuple[int, Alignment | AsrError]]:
        """What :meth:`align_files` yields, each as soon as it is there, behind its index."""
        tell = progress or (lambda seconds: None)
        remaining = enumerate(pairs)
        while window := list(islice(remaining, _WINDOW * batch_size)):
            jobs = []
            for index, (audio, text) in window:
                try:
                    length = audio_duration(audio)
                    jobs.append(_Job(index, Path(audio), length, self._spell(text, audio)))
                except AsrError as error:
                    yield index, error
            jobs.sort(key=lambda job: job.length)  # a batch of like lengths has little padding
            heard = _hear(jobs)
            while batch := list(islice(heard, batch_size)):
                yield from self._take_in(batch, tell)

    def _spell(self, text: str, audio: str | Path) -> Spelling:
        try:
            return spell(text, self._recogniser.tokenizer)
        except AsrError as error:
            raise AsrError(f"{audio} can't be aligned: {error}") from error

    def _take_in(
        self, batch: Sequence[tuple[_Job, Excerpt | AsrError]], tell: Callable[[float], object]
    ) -> Iterator[tuple[int, Alignment | AsrError]]:
        """Yields what is done with the batch."""
        yield from ((job.index, bad) for job, bad in batch if isinstance(bad, AsrError))
        good = [(job, excerpt) for job, excerpt in batch if isinstance(excerpt, Excerpt)]
        if not good:
            return
        log_probs, lengths = self._recogniser.log_probs([excerpt.samples for _, excerpt in good])
        said = zip(good, log_probs, lengths.tolist(), strict=True)
        for (job, excerpt), rows, length in said:
            job.add(excerpt, rows[:length], self._recogniser.seconds_per_frame)
            tell(excerpt.believed / SAMPLE_RATE)
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
        return Alignment(
            audio_filepath=str(job.audio),
            duration=job.seconds,
            text=" ".join(job.spelling.words),
            score=spans.score,
            unit_kind=tokenizer.kind,
            words=timed(job.spelling, tokenizer.units, spans, frame, job.seconds),
        )


@dataclass
class _Job:
    """A pair on its way."""

    index: int
    audio: Path
    length: float  # seconds, as the header has it
    spelling: Spelling
    samples: int = 0  # that the model has heard
    rows: Rows | None = None

    @property
    def seconds(self) -> float:
        return self.samples / SAMPLE_RATE

    def add(self, excerpt: Excerpt, rows: NDArray[np.float32], seconds_per_frame: float) -> None:
        """Takes in what the model says about an excerpt, shape (frames, units)."""
        if self.rows is None:
            self.rows = Rows(rows.shape[1])
        self.samples += excerpt.believed
        believed = rows[excerpt.frames(seconds_per_frame)]
        if excerpt.last:  # the model rounds up: what begins behind the end is no time to be in
            inside = math.ceil((self.seconds - _SHORTEST) / seconds_per_frame)
            believed = believed[: max(inside - len(self.rows), 0)]
        self.rows.append(believed)


def _hear(jobs: Iterable[_Job]) -> Iterator[tuple[_Job, Excerpt | AsrError]]:
    """The excerpts of all recordings; where one can't be read on, what is wrong with it."""
    for job in jobs:
        try:
            for excerpt in excerpts(read_pieces(job.audio)):
                yield job, excerpt
        except AsrError as error:
            yield job, error
