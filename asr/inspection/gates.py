"""What a model's memory does while it listens to one utterance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from asr.acoustic.checkpoint import Checkpoint
from asr.audio.read import SAMPLE_RATE, Samples, audio_duration, load_audio
from asr.audio.segmentation import LONGEST, is_silent
from asr.decoding import GreedyDecoder
from asr.errors import AsrError
from asr.features.log_mel import extract
from asr.features.mel import FRAMES_PER_SECOND
from asr.inspection.events import Following, find_events, follow
from asr.inspection.memory import Memory, measure_memory
from asr.inspection.trace import Array, LayerTrace, trace
from asr.transcript import Word


@dataclass(frozen=True)
class Layer:
    """A recurrent layer, seen while it listens."""

    trace: LayerTrace
    memory: Memory | None  # None of a cell without a gate that keeps its state
    followings: Sequence[Following]
    shown: Sequence[int]  # the units that are drawn, counted from 0

    @property
    def number(self) -> int:
        return self.trace.number


@dataclass(frozen=True)
class Listening:
    """An utterance and what was going on while it was heard."""

    audio: str
    cell: str  # as recipes name it
    samples: Samples  # 16 kHz
    text: str
    words: Sequence[Word]
    log_probs: NDArray[np.float32]  # of the main head, shape (frames, units)
    seconds_per_frame: float  # of log_probs
    units: Sequence[str]  # that the head emits
    events: Mapping[str, Array]  # by name, what find_events says of every 10 ms
    layers: Sequence[Layer]  # from below

    @property
    def seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE


def listen(
    audio: str | Path,
    checkpoint: Checkpoint,
    layer: int | None = None,
    units: Sequence[int] = (),
) -> Listening:
    """Lets a model listen to a recording.

    Units are counted from 1, as they stand in the output of a layer: first those that read from
    left to right, then those that read from right to left.

    Args:
        audio: a file of at most 36 s.
        checkpoint: the model, on the CPU.
        layer: the one that is drawn, counted from 1; by default all are.
        units: of that layer, to be drawn; by default the one that follows each event most
            closely, and the one that remembers longest.

    Raises:
        AsrError: the file can't be read, is too long or holds no speech, or there is no such layer
            or unit.
    """
    config = checkpoint.model.config
    _check(layer, units, config.encoder.layers, config.encoder.hidden, config.encoder.bidirectional)
    samples = _load(audio)
    emissions, traces = trace(checkpoint.model, extract(torch.from_numpy(samples), config.mel_bins))
    (hypothesis,) = GreedyDecoder(checkpoint.tokenizer).decode(
        emissions.log_probs.numpy(), emissions.lengths.numpy()
    )[0]
    if not hypothesis.tokens:
        raise AsrError(f"the model hears no speech in {audio}; give it a recording of some")
    frame = checkpoint.model.frames_per_emission / FRAMES_PER_SECOND
    words = [
        Word(word.text, word.start * frame, word.end * frame, word.confidence)
        for word in hypothesis.words
    ]
    events = find_events(samples, words, traces[0].seconds_per_frame)
    layers = []
    for one in traces:
        memory = measure_memory(one)
        followings = follow(one.output, events, one.seconds_per_frame)
        if layer not in (None, one.number):
            shown: Sequence[int] = ()
        else:
            shown = [unit - 1 for unit in units] or _interesting(followings, memory)
        layers.append(Layer(one, memory, followings, shown))
    return Listening(
        str(audio),
        config.encoder.cell,
        samples,
        hypothesis.text,
        words,
        emissions.log_probs[0].numpy(),
        frame,
        checkpoint.tokenizer.units,
        events,
        layers,
    )


def _check(
    layer: int | None, units: Sequence[int], layers: int, hidden: int, bidirectional: bool
) -> None:
    if units and layer is None:
        raise AsrError("units are those of a layer; say which by --layer")
    if layer is not None and not 1 <= layer <= layers:
        raise AsrError(f"there is no layer {layer}: the model has layers 1 to {layers}")
    count = hidden * (2 if bidirectional else 1)
    for unit in units:
        if not 1 <= unit <= count:
            sides = f", of which 1 to {hidden} read from left to right" if bidirectional else ""
            raise AsrError(f"there is no unit {unit}: a layer has units 1 to {count}{sides}")


def _load(audio: str | Path) -> Samples:
    seconds = audio_duration(audio)
    if seconds > LONGEST:
        raise AsrError(
            f"{audio} lasts {seconds:.0f} s; a picture shows at most {LONGEST:.0f} s, so cut the "
            "part out that you want to see"
        )
    samples = load_audio(audio)
    if is_silent(samples):
        raise AsrError(f"{audio} holds no speech: it is silence or a steady noise")
    return samples


def _interesting(followings: Sequence[Following], memory: Memory | None) -> list[int]:
    """The unit that follows each event most closely, and the one that remembers longest."""
    found: list[int] = []
    for following in followings:
        found.append(next(u for u in following.strongest(len(found) + 1) if u not in found))
    if memory is not None:
        longest = int(memory.milliseconds.argmax())
        found += [] if longest in found else [longest]
    return found
