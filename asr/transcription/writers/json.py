"""JSON: all there is to know, on one line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from asr.transcript import Reading, Segment, Transcript, Word


def to_json(transcript: Transcript) -> str:
    """One JSON object on one line.

    ``segments`` hold no words of their own: ``words`` lists all of them, in the segments' order.
    Words and segments have a ``channel`` where channels are apart, segments have ``readings`` where
    several were asked for.
    """
    record = {
        "audio_filepath": transcript.audio_filepath,
        "duration": transcript.duration,
        "text": transcript.text,
        "score": _score(transcript.score),
        "words": [_word(w, segment) for segment in transcript.segments for w in segment.words],
        "readings": _readings(transcript.readings),
        "segments": [_segment(segment) for segment in transcript.segments],
    }
    return json.dumps(record, ensure_ascii=False) + "\n"


def _word(word: Word, segment: Segment) -> dict[str, Any]:
    return asdict(word) | _channel(segment)


def _segment(segment: Segment) -> dict[str, Any]:
    readings = {"readings": _readings(segment.readings)} if segment.readings else {}
    return {
        "start": segment.start,
        "end": segment.end,
        "text": segment.text,
        "score": _score(segment.score),
        "confidence": segment.confidence,
        **readings,
        **_channel(segment),
    }


def _readings(readings: Iterable[Reading]) -> list[dict[str, Any]]:
    return [
        {"text": r.text}
        | {name: _score(getattr(r, name)) for name in ("score", "acoustic_score", "lm_score")}
        for r in readings
    ]


def _channel(segment: Segment) -> dict[str, int]:
    return {} if segment.channel is None else {"channel": segment.channel}


def _score(value: float) -> float:
    return round(value, 4)
