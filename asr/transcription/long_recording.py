"""Long recordings to segments, read stretch by stretch: memory does not grow with their length."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Literal, TypeAlias

from asr.audio.notices import without_words
from asr.audio.read import Samples, count_channels, read_pieces
from asr.audio.segmentation import split
from asr.errors import AsrError
from asr.transcript import Notice, Segment
from asr.transcription.batches import bound_batch_size
from asr.transcription.overlap import join
from asr.transcription.recogniser import Recogniser
from asr.transcription.stretches import has_text, recognise_stretches

# The mean of all channels, each by itself, or one of them, counted from 1.
Channel: TypeAlias = Literal["mix", "split"] | int

_MOST_CHANNELS = 32  # that are read side by side: bounds memory


def channel_number(channel: Channel) -> int | None:
    """The number of the only channel that is read; None where they are mixed."""
    return channel if isinstance(channel, int) else None


def read_segments(
    recogniser: Recogniser,
    path: str | Path,
    channel: Channel,
    batch_size: int,
    progress: Callable[[int], None],
    notices: list[Notice],
) -> Iterator[Segment]:
    """Yields the segments of a recording that have words, by start.

    Args:
        recogniser: the model and its decoder.
        path: the file.
        channel: which of its channels.
        batch_size: stretches that are recognised at a time.
        progress: called with the number of samples of the file that were read since.
        notices: receives notices about the file.

    Raises:
        AsrError: the file can't be read, or has not that channel, or too many.
    """
    if channel != "split":
        number = channel_number(channel)
        return _read_channel(recogniser, path, number, batch_size, progress, notices)
    channels = count_channels(path)
    if channels > _MOST_CHANNELS:
        raise AsrError(
            f"{path} has {channels} channels, more than the {_MOST_CHANNELS} that can be "
            "transcribed apart; choose one, or mix them"
        )
    each = max(1, batch_size // channels)
    streams = [_read_channel(recogniser, path, 1, each, progress, notices, must_have_words=False)]
    for number in range(2, channels + 1):  # what is said of the file, the first one's reader says
        ignored: list[Notice] = []
        streams.append(_read_channel(recogniser, path, number, each, _ignore, ignored))
    return heapq.merge(*streams, key=lambda segment: segment.start)


def _read_channel(
    recogniser: Recogniser,
    path: str | Path,
    channel: int | None,
    batch_size: int,
    progress: Callable[[int], None],
    notices: list[Notice],
    must_have_words: bool = True,
) -> Iterator[Segment]:
    """The segments of one channel, or of the mean of all; overlapping ones are joined."""

    def pieces() -> Iterator[Samples]:
        for piece in read_pieces(path, channel, notices):
            yield piece
            progress(len(piece))

    # Phones have no times to join overlapping stretches by.
    stretches = split(pieces(), overlap=recogniser.writes_words)
    batch_size = bound_batch_size(batch_size)
    previous: Segment | None = None
    has_words = False
    while batch := list(islice(stretches, batch_size)):
        for segment in recognise_stretches(recogniser, batch, channel):
            if previous is not None:
                previous, segment = join(previous, segment)
                if has_text(previous):
                    has_words = True
                    yield previous
            previous = segment
    if previous is not None and has_text(previous):
        has_words = True
        yield previous
    if previous is not None and must_have_words and not has_words:
        notices.append(without_words(path))


def _ignore(samples: int) -> None:
    """Progress of a channel beside the first, which counts for all."""
