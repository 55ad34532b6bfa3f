"""What was said in a recording: words, the segments that they came in, the whole."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """A word and when it was said."""

    text: str
    start: float  # seconds from the beginning of the recording
    end: float  # seconds
    confidence: float  # 0 to 1; what it measures is said by its decoder


@dataclass(frozen=True, slots=True)
class Reading:
    """One of several readings of a segment."""

    text: str
    score: float  # natural logarithm, of the decoder's making
    acoustic_score: float  # natural logarithm
    lm_score: float  # natural logarithm, unweighted


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a recording that was heard as one utterance."""

    start: float  # seconds from the beginning of the recording
    end: float  # seconds
    text: str
    score: float  # natural logarithm, of the decoder's making
    words: tuple[Word, ...] = ()  # none of a decoder that writes phones
    readings: tuple[Reading, ...] = ()  # all of them, best first, where several were asked for
    channel: int | None = None  # counted from 1; None if the channels were mixed

    @property
    def confidence(self) -> float | None:
        """The mean of its words' confidences, the share that should be right; None of no words."""
        if not self.words:
            return None
        return round(sum(word.confidence for word in self.words) / len(self.words), 4)


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said in one file."""

    audio_filepath: str
    duration: float  # seconds
    segments: tuple[Segment, ...]  # by start; only those in which something was said
    heard: tuple[int, ...] = ()  # channels, where not mixed, also those in which nothing was said

    @property
    def text(self) -> str:
        """All segments' texts on one line."""
        return " ".join(segment.text for segment in self.segments if segment.text)

    @property
    def score(self) -> float:
        """The sum of the segments' scores."""
        return sum(segment.score for segment in self.segments)

    @property
    def words(self) -> tuple[Word, ...]:
        """All segments' words, segment by segment."""
        return tuple(word for segment in self.segments for word in segment.words)

    @property
    def readings(self) -> tuple[Reading, ...]:
        """Those of the one segment of a short file; a long file has them by segment."""
        return self.segments[0].readings if len(self.segments) == 1 else ()

    @property
    def channels(self) -> tuple[int | None, ...]:
        """The channels that were heard, each once, in order; (None,) if they were mixed."""
        found = {*self.heard, *(segment.channel for segment in self.segments)}
        return tuple(sorted(found, key=lambda channel: channel or 0)) or (None,)
