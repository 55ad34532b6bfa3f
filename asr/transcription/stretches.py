"""Stretches of recordings to segments of a transcript."""

from __future__ import annotations

from collections.abc import Sequence

from asr.audio.segmentation import Stretch
from asr.decoding import Hypothesis
from asr.transcript import Reading, Segment, Word
from asr.transcription.recogniser import Recogniser


def recognise_stretches(
    recogniser: Recogniser, stretches: Sequence[Stretch], channel: int | None
) -> list[Segment]:
    """A segment for each stretch, perhaps without a word.

    Args:
        recogniser: the model and its decoder.
        stretches: of one channel; they form one batch.
        channel: counted from 1; None if the channels were mixed.
    """
    if not stretches:
        return []
    nbest_lists = recogniser.recognise([stretch.samples for stretch in stretches])
    return [
        _segment(stretch, nbest, recogniser.seconds_per_frame, channel)
        for stretch, nbest in zip(stretches, nbest_lists, strict=True)
    ]


def has_text(segment: Segment) -> bool:
    """Whether the segment, or at least one of its n-best list, has a word."""
    return bool(segment.text or segment.readings)


def _segment(
    stretch: Stretch, nbest: Sequence[Hypothesis], seconds_per_frame: float, channel: int | None
) -> Segment:
    """The segment of a stretch, times in seconds from the beginning of the recording."""

    def seconds(frames: int) -> float:
        return round(min(stretch.start + frames * seconds_per_frame, stretch.end), 3)

    best = nbest[0]
    words = tuple(
        Word(word.text, seconds(word.start), seconds(word.end), round(word.confidence, 4))
        for word in best.words
    )
    readings = [Reading(h.text, h.score, h.acoustic_score, h.lm_score) for h in nbest]
    several = tuple(readings) if len(readings) > 1 else ()
    start, end = round(stretch.start, 3), round(stretch.end, 3)
    return Segment(start, end, best.text, best.score, words, several, channel)
