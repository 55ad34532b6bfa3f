"""The transcriber: audio files to transcripts, short ones in batches, long ones by segments.

A file that can't be read gives its error and disturbs no other. Memory does not grow with a file's
length, but for its transcript.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from asr.audio.notices import raise_if_incomplete, without_words
from asr.audio.read import SAMPLE_RATE, Samples, audio_duration, count_channels, load_audio
from asr.audio.segmentation import LONGEST, Stretch, is_silent
from asr.errors import AsrError
from asr.runtime.ordered import in_order
from asr.text import normalise
from asr.transcript import Notice, Segment, Transcript
from asr.transcription.batches import plan_batches
from asr.transcription.long_recording import Channel, channel_number, read_segments
from asr.transcription.recogniser import Recogniser
from asr.transcription.stretches import has_text, recognise_stretches

_WINDOW = 16  # batches whose files are sorted by length together


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
        """The kind of search, such as greedy, or two passes."""
        return self._recogniser.decoder_name

    @property
    def writes_words(self) -> bool:
        """False if it writes phones, because its decoder has no lexicon to make words of them."""
        return self._recogniser.writes_words

    def reference(self, text: str) -> str:
        """``text`` as it is transcribed without an error."""
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
        self,
        path: str | Path,
        channel: Channel = "mix",
        batch_size: int = 8,
        notices: list[Notice] | None = None,
    ) -> Iterator[Segment]:
        """Transcribes one audio file and yields its segments, by start, as they come.

        A file of up to 36 s is one segment; of longer ones :mod:`asr.audio.segmentation` makes
        several. Segments without words are left out. On the CPU they are those of
        :meth:`transcribe`, whatever the batch size.

        Args:
            path: the file, of any length; it is read as segments are requested.
            channel: as in :meth:`transcribe`.
            batch_size: segments that are recognised at a time.
            notices: receives notices about the file, such as that its end is missing.

        Raises:
            AsrError: as :meth:`transcribe`, once the fault is reached.
            IncompleteAudio: the end of the file is missing, after its segments; only if ``notices``
                is None.
        """
        found: list[Notice] = [] if notices is None else notices
        yield from read_segments(
            self._recogniser, path, channel, batch_size, lambda samples: None, found
        )
        if notices is None:
            raise_if_incomplete(found)

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
            progress: called with the seconds of audio that were transcribed since the last call.

        Yields:
            For each path, in the order given, its transcript or the error of the file.
        """
        yield from in_order(self.as_done(paths, batch_size, channel, progress))

    def as_done(
        self,
        paths: Iterable[str | Path],
        batch_size: int = 8,
        channel: Channel = "mix",
        progress: Callable[[float], object] | None = None,
    ) -> Iterator[tuple[int, Transcript | AsrError]]:
        """The results of :meth:`transcribe_files`, each with its index as soon as it is known."""
        report = progress or (lambda seconds: None)
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
                number = channel_number(channel)
                short = {i: seconds for i, seconds in durations.items() if seconds <= LONGEST}
                for batch in plan_batches(short, batch_size):
                    yield from self._transcribe_batch({i: window[i] for i in batch}, number)
                    report(sum(short[index] for index in batch))
            for index in (i for i in durations if i not in short):
                yield index, self._transcribe_long(window[index], channel, batch_size, report)

    def _transcribe_batch(
        self, paths: dict[int, Path], channel: int | None
    ) -> Iterator[tuple[int, Transcript | AsrError]]:
        signals: dict[int, Samples] = {}
        notices: dict[int, list[Notice]] = {index: [] for index in paths}
        for index, path in paths.items():
            try:
                signals[index] = load_audio(path, channel, notices[index])
            except AsrError as error:
                yield index, error
        audible = [index for index, signal in signals.items() if not is_silent(signal)]
        stretches = [Stretch(0, signals[index]) for index in audible]
        found = recognise_stretches(self._recogniser, stretches, channel)
        segments: dict[int, tuple[Segment, ...]] = {
            index: (segment,)
            for index, segment in zip(audible, found, strict=True)
            if has_text(segment)
        }
        for index, signal in signals.items():
            duration = len(signal) / SAMPLE_RATE
            apart = (channel,) if channel else ()
            if index in audible and index not in segments:
                notices[index].append(without_words(paths[index]))
            about = tuple(notices[index])
            words = segments.get(index, ())
            yield index, Transcript(str(paths[index]), duration, words, apart, notices=about)

    def _transcribe_long(
        self, path: Path, channel: Channel, batch_size: int, progress: Callable[[float], object]
    ) -> Transcript | AsrError:
        samples = 0

        def count(more: int) -> None:
            nonlocal samples
            samples += more
            progress(more / SAMPLE_RATE)

        notices: list[Notice] = []
        try:
            segments = tuple(
                read_segments(self._recogniser, path, channel, batch_size, count, notices)
            )
            several = range(1, count_channels(path) + 1) if channel == "split" else ()
        except AsrError as error:
            return error
        apart = (channel,) if isinstance(channel, int) else tuple(several)
        return Transcript(str(path), samples / SAMPLE_RATE, segments, apart, notices=tuple(notices))
