"""A development set as the model hears it: heard once, decoded as often as tuning needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr.audio.read import load_audio
from asr.config.schema import HeadName
from asr.corpora.manifest import Utterance
from asr.decoding.decoder_config import OTHER_HEAD
from asr.errors import AsrError
from asr.runtime.progress import track
from asr.text import normalise
from asr.transcription.recogniser import Recogniser


@dataclass(frozen=True)
class Development:
    """What a model says about a set of utterances, and what was said."""

    log_probs: Sequence[NDArray[np.float32]]  # (frames, units) of each utterance
    other: Sequence[NDArray[np.float32]] | None  # the same of the other head, if there is one
    references: Sequence[str]  # in normal form
    failures: Sequence[str]  # one sentence for each utterance whose audio could not be read

    def of(self, head: HeadName | None) -> Iterable[NDArray[np.float32] | None]:
        """What the other head says, of each utterance; nothing if it isn't asked."""
        return self.other if head and self.other is not None else [None] * len(self.references)


def hear(recogniser: Recogniser, utterances: Sequence[Utterance], batch_size: int) -> Development:
    """Runs the acoustic model over ``utterances``, those of like length together.

    Raises:
        AsrError: none of them can be read.
    """
    order = sorted(range(len(utterances)), key=lambda i: utterances[i].duration)
    other_head = OTHER_HEAD[recogniser.head]
    log_probs: dict[int, NDArray[np.float32]] = {}
    other: dict[int, NDArray[np.float32]] = {}
    failures = []
    starts = range(0, len(order), batch_size)
    for start in track(starts, "listening", len(starts)):
        signals = {}
        for index in order[start : start + batch_size]:
            try:
                signals[index] = load_audio(utterances[index].audio_filepath)
            except AsrError as error:
                failures.append(f"{utterances[index].utterance_id}: {error}")
        if not signals:
            continue
        heard = recogniser.engine.emit(list(signals.values()))
        for row, (index, length) in enumerate(zip(signals, heard.lengths.tolist(), strict=True)):
            log_probs[index] = heard.head(recogniser.head)[row, :length].copy()
            if heard.intermediate is not None:
                other[index] = heard.head(other_head)[row, :length].copy()
    if not log_probs:
        raise AsrError(f"none of the {len(utterances)} audio files to tune on could be read")
    there = sorted(log_probs)
    return Development(
        [log_probs[index] for index in there],
        [other[index] for index in there] if other else None,
        [normalise(utterances[index].text) for index in there],
        failures,
    )
