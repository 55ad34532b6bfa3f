"""Audio files to transcripts: short ones in batches of like length, long ones stretch by stretch.

Bad files are set aside. What is held in memory does not grow with a file's length, but for its
transcript.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal, TypeAlias

from asr.audio.read import (
    SAMPLE_RATE,
    Samples,
    audio_duration,
    count_channels,
    load_audio,
    read_pieces,
)
from asr.audio.segmentation import LONGEST, Stretch, is_silent, split
from asr.decoding import Hypothesis
from asr.errors import AsrError
from asr.runtime.ordered import in_order
from asr.text import normalise
from asr.transcript import Reading, Segment, Transcript, Word
from asr.transcription.overlap import join
from asr.transcription.recogniser import Recogniser

# The mean of all channels, each by itself, or one of them, counted from 1.
Channel: TypeAlias = Literal["mix", "split"] | int

_WINDOW = 16  # batches whose files are sorted by length together
_MAX_SECONDS = 480.0  # of a padded batch: bounds memory, whatever the batch size
_MOST_CHANNELS = 32  # that are read side by side: bounds memory


class Transcriber:
    """A recogniser that reads files."""

    def __init__(self, recogniser: Recogniser) -> None:
        self._recogniser = recogniser

    @property
    def recogniser(self) -> Recogniser:
        """The model and the decoder."""
        return self._recogniser

    @property
    def device(self) -> str:
        return self._recogniser.engine.device

    @property
    def decoder_name(self) -> str:
        """What it searches with, such as greedy, or two passes."""
        return self._recogniser.decoder_name

    @property
    def writes_words(self) -> bool:
        """False if it writes phones, because its decoder has no lexicon to make words of them."""
        return self._recogniser.writes_words

    def reference(self, text: str) -> str:
        """``text`` in the form in which it is transcribed where no error is made."""
        text = normalise(text)
        return text if self.writes_words else self._recogniser.tokenizer.transcript(text)

    def transcribe(self, path: str | Path, channel: Channel = "mix") -> Transcript:
        """Transcribes one audio file.

        Args:
            path: the file, of any length.
            channel: the mean of all channels (``mix``), each channel by itself (``split``), or one
                of them, counted from 1.

        Raises:
            AsrError: the file is missing, can't be read as audio, or lacks the channel.
        """
        (result,) = self.transcribe_files([path], channel=channel)
        if isinstance(result, AsrError):
            raise result
        return result

    def segments(
        self, path: str | Path, channel: Channel = "mix", batch_size: int = 8
    ) -> Iterator[Segment]:
        """Transcribes one audio file and yields its segments, by start, as they come.

        A file of up to 36 s is one segment; of longer ones :mod:`asr.audio.segmentation` makes
        several. Segments in which nothing was said are left out. On the CPU they are those of
        :meth:`transcribe`, whatever the batch size.

        Args:
            path: the file, of any length; it is read as segments are asked for.
            channel: as in :meth:`transcribe`.
            batch_size: segments that are recognised at a time.

        Raises:
            AsrError: as :meth:`transcribe`, as soon as it shows.
        """
        yield from self._segments(path, channel, batch_size, lambda samples: None)

    def transcribe_files(
        self,
        paths: Iterable[str | Path],
        batch_size: int = 8,
        channel: Channel = "mix",
        progress: Callable[[float], object] | None = None,
    ) -> Iterator[Transcript | AsrError]:
        """Transcribes files in batches; a bad file gives its error and disturbs no other.

        Args:
            paths: the files, of any length.
            batch_size: short files, or segments of a long one, that are recognised at a time.
            channel: as in :meth:`transcribe`.
            progress: is told again and again how many seconds of audio have been done since.

        Yields:
            For each path, in the order given, its transcript or what is wrong with the file.
        """
        yield from in_order(self.as_done(paths, batch_size, channel, progress))

    def as_done(
        self,
        paths: Iterable[str | Path],
        batch_size: int = 8,
        channel: Channel = "mix",
        progress: Callable[[float], object] | None = None,
    ) -> Iterator[tuple[int, Transcript | AsrError]]:
        """What :meth:`transcribe_files` yields, each with its index, as soon as it is there."""
        tell = progress or (lambda seconds: None)
        remaining = enumerate(map(Path, paths))
        while window := dict(islice(remaining, _WINDOW * batch_size)):
            durations: dict[int, float] = {}
            for index, path in window.items():
                try:
                    durations[index] = audio_duration(path)
                except AsrError as error:
                    yield index, error
            short: dict[int, float] = {}
            if channel != "split":
                number = None if channel == "mix" else channel
                short = {i: seconds for i, seconds in durations.items() if seconds <= LONGEST}
                for batch in _batches(short, batch_size):
                    yield from self._transcribe_batch({i: window[i] for i in batch}, number)
                    tell(sum(short[index] for index in batch))
            for index in (i for i in durations if i not in short):
                yield index, self._transcribe_long(window[index], channel, batch_size, tell)

    def _transcribe_batch(
        self, paths: dict[int, Path], channel: int | None
    ) -> Iterator[tuple[int, Transcript | AsrError]]:
        signals: dict[int, Samples] = {}
        for index, path in paths.items():
            try:
                signals[index] = load_audio(path, channel)
            except AsrError as error:
                yield index, error
        heard = [index for index, signal in signals.items() if not is_silent(signal)]
        found = self._recognise([Stretch(0, signals[index]) for index in heard], channel)
        segments = {index: (s,) for index, s in zip(heard, found, strict=True) if _says(s)}
        for index, signal in signals.items():
            duration = len(signal) / SAMPLE_RATE
            apart = (channel,) if channel else ()
            yield index, Transcript(str(paths[index]), duration, segments.get(index, ()), apart)

    def _transcribe_long(
        self, path: Path, channel: Channel, batch_size: int, progress: Callable[[float], object]
    ) -> Transcript | AsrError:
        samples = 0

        def count(more: int) -> None:
            nonlocal samples
            samples += more
            progress(more / SAMPLE_RATE)

        try:
            segments = tuple(self._segments(path, channel, batch_size, count))
            several = range(1, count_channels(path) + 1) if channel == "split" else ()
        except AsrError as error:
            return error
        apart = (channel,) if isinstance(channel, int) else tuple(several)
        return Transcript(str(path), samples / SAMPLE_RATE, segments, apart)

    def _segments(
        self,
        path: str | Path,
        channel: Channel,
        batch_size: int,
        progress: Callable[[int], None],
    ) -> Iterator[Segment]:
        """Segments by start; ``progress`` is told how many samples of the file were read since."""
        if channel != "split":
            number = None if channel == "mix" else channel
            return self._segments_of(path, number, batch_size, progress)
        channels = count_channels(path)
        if channels > _MOST_CHANNELS:
            raise AsrError(
                f"{path} has {channels} channels, more than the {_MOST_CHANNELS} that can be "
                "transcribed apart; choose one, or mix them"
            )
        each = max(1, batch_size // channels)
        streams = [
            self._segments_of(path, number, each, progress if number == 1 else lambda samples: None)
            for number in range(1, channels + 1)
        ]
        return heapq.merge(*streams, key=lambda segment: segment.start)

    def _segments_of(
        self,
        path: str | Path,
        channel: int | None,
        batch_size: int,
        progress: Callable[[int], None],
    ) -> Iterator[Segment]:
        """Segments of one channel, or of the mean of all."""

        def pieces() -> Iterator[Samples]:
            for piece in read_pieces(path, channel):
                yield piece
                progress(len(piece))

        # Phones have no times to join overlapping stretches by.
        stretches = split(pieces(), overlap=self.writes_words)
        batch_size = min(batch_size, int(_MAX_SECONDS / LONGEST))
        previous: Segment | None = None
        while batch := list(islice(stretches, batch_size)):
            for segment in self._recognise(batch, channel):
                if previous is not None:
                    previous, segment = join(previous, segment)
                    if _says(previous):
                        yield previous
                previous = segment
        if previous is not None and _says(previous):
            yield previous

    def _recognise(self, stretches: Sequence[Stretch], channel: int | None) -> list[Segment]:
        if not stretches:
            return []
        found = self._recogniser.recognise([stretch.samples for stretch in stretches])
        return [self._segment(*pair, channel) for pair in zip(stretches, found, strict=True)]

    def _segment(
        self, stretch: Stretch, found: Sequence[Hypothesis], channel: int | None
    ) -> Segment:
        frame = self._recogniser.seconds_per_frame

        def seconds(frames: int) -> float:
            return round(min(stretch.start + frames * frame, stretch.end), 3)

        best = found[0]
        words = tuple(
            Word(word.text, seconds(word.start), seconds(word.end), round(word.confidence, 4))
            for word in best.words
        )
        readings = [Reading(h.text, h.score, h.acoustic_score, h.lm_score) for h in found]
        several = tuple(readings) if len(readings) > 1 else ()
        start, end = round(stretch.start, 3), round(stretch.end, 3)
        return Segment(start, end, best.text, best.score, words, several, channel)


def _says(segment: Segment) -> bool:
    """Whether something is said in it, at least in one of its readings."""
    return bool(segment.text or segment.readings)


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
