"""Gates, states and event correlations of every recurrent layer over one utterance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from asr.inspection.events import EventCorrelation, correlate, find_events
from asr.inspection.memory import Memory, measure_memory
from asr.inspection.trace import Array, LayerTrace, trace
from asr.transcript import Word


@dataclass(frozen=True)
class LayerInspection:
    """A recurrent layer over one utterance."""

    trace: LayerTrace
    memory: Memory | None  # None for cells without a gate that keeps the state
    correlations: Sequence[EventCorrelation]
    shown: Sequence[int]  # units to draw, counted from 0

    @property
    def number(self) -> int:
        return self.trace.number

    def to_json(self) -> dict[str, Any]:
        """Sizes, memory and correlations of the layer, gates and state of the shown units."""
        return {
            "number": self.number,
            "frame": self.trace.seconds_per_frame,
            "size": self.trace.units,
            "memory": self.memory and self.memory.to_json(),
            "follows": [correlation.to_json() for correlation in self.correlations],
            "shown": [self._unit_to_json(unit) for unit in self.shown],
        }

    def _unit_to_json(self, unit: int) -> dict[str, Any]:
        trace = self.trace
        return {
            "unit": unit + 1,
            "reads": trace.reads(unit),
            "remembers": self.memory and round(float(self.memory.milliseconds[unit])),
            "follows": {one.event: _round(one.correlations[unit]) for one in self.correlations},
            "gates": {
                name: [_round(value) for value in values[:, unit]]
                for name, values in trace.gates.items()
            },
            "state": [_round(value) for value in trace.state[:, unit]],
        }


@dataclass(frozen=True)
class GateInspection:
    """An utterance with its transcript, its events and all recurrent layers."""

    audio: str
    cell: str  # its name in recipes
    samples: Samples  # 16 kHz
    text: str
    words: Sequence[Word]
    log_probs: NDArray[np.float32]  # of the main head, shape (frames, units)
    seconds_per_frame: float  # of log_probs
    units: Sequence[str]  # of the main head
    events: Mapping[str, Array]  # by name, every 10 ms (find_events)
    layers: Sequence[LayerInspection]  # from below

    @property
    def seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE

    def to_json(self) -> dict[str, Any]:
        """Transcript and layers; samples and log-probabilities are left out."""
        return {
            "cell": self.cell,
            "seconds": self.seconds,
            "text": self.text,
            "units": list(self.units),
            "secondsPerFrame": self.seconds_per_frame,
            "words": [
                [word.text, _round(word.start), _round(word.end), _round(word.confidence)]
                for word in self.words
            ],
            "layers": [layer.to_json() for layer in self.layers],
        }


def inspect_gates(
    audio: str | Path,
    checkpoint: Checkpoint,
    layer: int | None = None,
    units: Sequence[int] = (),
) -> GateInspection:
    """Runs a model on a recording and traces its recurrent layers.

    Units are counted from 1 in the order of a layer's output: first those that read from left to
    right, then those that read from right to left.

    Args:
        audio: a file of at most 36 s.
        checkpoint: the model, on the CPU.
        layer: to draw, counted from 1; by default all.
        units: of that layer, to draw; by default the one that correlates most with each event, and
            the one with the longest memory.

    Raises:
        AsrError: the file can't be read, is too long or holds no speech, or layer or unit does not
            exist.
    """
    config = checkpoint.model.config
    _check(layer, units, config.encoder.layers, config.encoder.hidden, config.encoder.bidirectional)
    samples = _load(audio)
    emissions, traces = trace(checkpoint.model, extract(torch.from_numpy(samples), config.mel_bins))
    (hypothesis,) = GreedyDecoder(checkpoint.tokenizer).decode(
        emissions.log_probs.numpy(), emissions.lengths.numpy()
    )[0]
    if not hypothesis.tokens:
        raise AsrError(f"the model finds no speech in {audio}; give it a recording of speech")
    frame = checkpoint.model.frames_per_emission / FRAMES_PER_SECOND
    words = [
        Word(word.text, word.start * frame, word.end * frame, word.confidence)
        for word in hypothesis.words
    ]
    events = find_events(samples, words, traces[0].seconds_per_frame)
    layers = []
    for one in traces:
        memory = measure_memory(one)
        correlations = correlate(one.output, events, one.seconds_per_frame)
        if layer not in (None, one.number):
            shown: Sequence[int] = ()
        else:
            shown = [unit - 1 for unit in units] or _default_units(correlations, memory)
        layers.append(LayerInspection(one, memory, correlations, shown))
    return GateInspection(
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
        raise AsrError(f"{audio} holds no speech: it is digital silence")
    return samples


def _default_units(correlations: Sequence[EventCorrelation], memory: Memory | None) -> list[int]:
    """The unit that correlates most with each event, and the one with the longest memory."""
    found: list[int] = []
    for correlation in correlations:
        found.append(next(u for u in correlation.strongest(len(found) + 1) if u not in found))
    if memory is not None:
        longest = int(memory.milliseconds.argmax())
        found += [] if longest in found else [longest]
    return found


def _round(number: float) -> float:
    """Three decimals, the most that a screen resolves."""
    return round(float(number), 3)
