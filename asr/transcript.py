"""The result types of transcription: words, segments, the transcript of a recording."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """A word with its times."""

    text: str
    start: float  # seconds from the beginning of the recording
    end: float  # seconds
    confidence: float  # 0 to 1; its decoder documents the measure


@dataclass(frozen=True, slots=True)
class Reading:
    """A hypothesis of a segment's n-best list."""

    text: str
    score: float  # natural logarithm; its decoder documents the terms
    acoustic_score: float  # natural logarithm
    lm_score: float  # natural logarithm, unweighted


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a recording that was decoded as one utterance."""

    start: float  # seconds from the beginning of the recording
    end: float  # seconds
    text: str
    score: float  # natural logarithm; its decoder documents the terms
    words: tuple[Word, ...] = ()  # empty for a decoder that writes phones
    readings: tuple[Reading, ...] = ()  # the n-best list, best first; empty unless nbest > 1
    channel: int | None = None  # counted from 1; None if the channels were mixed

    @property
    def confidence(self) -> float | None:
        """The mean confidence of the words, the share that should be right; None without words."""
        if not self.words:
            return None
        return round(sum(word.confidence for word in self.words) / len(self.words), 4)


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence about a recording that was read all the same, such as that its end is missing."""

    text: str  # names the file
    incomplete: bool  # whether audio is missing, which makes a command fail


@dataclass(frozen=True, slots=True)
class Transcript:
    """The transcript of one file."""

    audio_filepath: str
    duration: float  # seconds
    segments: tuple[Segment, ...]  # with words, by start
    heard: tuple[int, ...] = ()  # channels that were not mixed, with words or without
    name: str = ""  # the recording's id in ctm and trn; empty: the file's name without extension
    notices: tuple[Notice, ...] = ()  # about the file

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
        """The n-best list of the only segment of a short file; a long file has them by segment."""
        return self.segments[0].readings if len(self.segments) == 1 else ()

    @property
    def channels(self) -> tuple[int | None, ...]:
        """The channels that were transcribed, each once, in order; (None,) if they were mixed."""
        found = {*self.heard, *(segment.channel for segment in self.segments)}
        return tuple(sorted(found, key=lambda channel: channel or 0)) or (None,)
