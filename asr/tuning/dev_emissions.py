"""A model's emissions on a development set: computed once, decoded as often as tuning needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr.config.schema import HeadName
from asr.corpora.manifest import Utterance
from asr.corpora.utterance_audio import load_utterance
from asr.decoding.decoder_config import OTHER_HEAD
from asr.errors import AsrError
from asr.runtime.progress import track
from asr.text import normalise
from asr.transcription.recogniser import Recogniser


@dataclass(frozen=True)
class DevEmissions:
    """A model's emissions on a set of utterances, and their references."""

    log_probs: Sequence[NDArray[np.float32]]  # (frames, units) of each utterance
    other: Sequence[NDArray[np.float32]] | None  # of the other head, if the model has one
    references: Sequence[str]  # in normal form
    failures: Sequence[str]  # one sentence for each utterance whose audio could not be read

    def for_head(self, head: HeadName | None) -> Iterable[NDArray[np.float32] | None]:
        """The other head\'s emissions of each utterance; None for each if ``head`` is None."""
        return self.other if head and self.other is not None else [None] * len(self.references)


def compute_emissions(
    recogniser: Recogniser, utterances: Sequence[Utterance], batch_size: int
) -> DevEmissions:
    """Runs the acoustic model over ``utterances``, in batches of similar length.

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
                signals[index] = load_utterance(utterances[index])
            except AsrError as error:
                failures.append(f"{utterances[index].utterance_id}: {error}")
        if not signals:
            continue
        output = recogniser.engine.emit(list(signals.values()))
        for row, (index, length) in enumerate(zip(signals, output.lengths.tolist(), strict=True)):
            log_probs[index] = output.head(recogniser.head)[row, :length].copy()
            if output.intermediate is not None:
                other[index] = output.head(other_head)[row, :length].copy()
    if not log_probs:
        raise AsrError(f"none of the {len(utterances)} audio files to tune on could be read")
    read = sorted(log_probs)
    return DevEmissions(
        [log_probs[index] for index in read],
        [other[index] for index in read] if other else None,
        [normalise(utterances[index].text) for index in read],
        failures,
    )
