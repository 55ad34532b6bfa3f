"""The acoustic model without torch: LSTM models on the CPU, by :mod:`asr.inference.kernels`.

Outputs equal those of :mod:`asr.inference.torch_engine` to the fifth digit. The engine loads at
once and needs a fraction of torch's memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr.acoustic.architecture import (
    Architecture,
    ConvolutionSpec,
    LinearSpec,
    NormSpec,
    RecurrentSpec,
    describe,
)
from asr.audio.read import Samples
from asr.config.schema import ModelConfig
from asr.features.mel import FRAMES_PER_SECOND
from asr.inference import kernels
from asr.inference.engine import EngineOutput
from asr.inference.kernels import Floats, Weights
from asr.inference.numba_features import extract


@dataclass(frozen=True)
class Affine:
    """x W + b, as a product or as a convolution."""

    weights: Weights  # (inputs, outputs)
    bias: Floats

    def __call__(self, x: Floats) -> Floats:
        product: Floats = kernels.affine(x, self.weights, self.bias)
        return product

    def convolve(self, x: Floats) -> Floats:
        """For x of shape (frames, bins, channels)."""
        convolved: Floats = kernels.convolve(x, self.weights, self.bias)
        return convolved


@dataclass(frozen=True)
class Norm:
    """Layer normalisation, in place."""

    scale: Floats
    shift: Floats

    def __call__(self, x: Floats) -> Floats:
        kernels.normalise(x, self.scale, self.shift)
        return x


@dataclass(frozen=True)
class Direction:
    """An LSTM layer in one direction."""

    weights: Weights
    recurrent: Weights
    bias: Floats
    backwards: bool

    def __call__(self, x: Floats, out: Floats) -> None:
        kernels.lstm(x, self.weights, self.recurrent, self.bias, self.backwards, out)


@dataclass(frozen=True)
class Layer:
    """An LSTM layer in one direction or both, with an optional bottleneck before it."""

    bottleneck: Affine | None
    directions: list[Direction]
    norm: Norm

    def __call__(self, x: Floats, pool: ThreadPoolExecutor | None) -> Floats:
        x = x if self.bottleneck is None else self.bottleneck(x)
        hidden = len(self.directions[0].recurrent)
        out = np.empty((len(x), len(self.directions) * hidden), np.float32)
        halves = [out[:, i * hidden : (i + 1) * hidden] for i in range(len(self.directions))]
        in_order = pool.map if pool else map
        for _ in in_order(lambda direction, half: direction(x, half), self.directions, halves):
            pass
        return self.norm(out)


class NumbaEngine:
    """An :class:`asr.inference.engine.Engine` for the models that :func:`supports` accepts.

    Args:
        config: the model.
        weights: by the names in :mod:`asr.acoustic.architecture`.
        units: of the main head.
        intermediate_units: of the intermediate head, if the model has one.
        threads: that work at a time, each on one signal, or on one direction of a single signal.

    Raises:
        ValueError: weights are missing or of other shapes.
    """

    device = "cpu"

    def __init__(
        self,
        config: ModelConfig,
        weights: Mapping[str, NDArray[np.float16]],
        units: int,
        intermediate_units: int,
        threads: int = 1,
    ) -> None:
        self._config = config
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self._architecture = parts = describe(config, units, intermediate_units)
        halvings = len(parts.convolutions)
        self.seconds_per_frame = 2.0**halvings / config.emissions / FRAMES_PER_SECOND

        stored = _StoredWeights(weights, parts)
        self._convolutions = [stored.convolution(spec) for spec in parts.convolutions]
        self._projection = stored.projection()
        self._input_norm = stored.norm(parts.input_norm)
        self._layers = [
            stored.layer(spec.bottleneck, spec.recurrent, spec.norm) for spec in parts.layers
        ]
        self._speller = None
        if (speller := parts.speller) is not None:
            layer = stored.layer(speller.bottleneck, speller.recurrent, speller.norm)
            self._speller = layer, stored.linear(speller.code)
        self._head = stored.linear(parts.head.linear)
        self._intermediate_head = None
        if parts.intermediate_head is not None:
            self._intermediate_head = stored.linear(parts.intermediate_head.linear)
        # Compiles the kernels on their first use ever, here rather than while somebody times them.
        self._emit(np.zeros(1, np.float32))

    def emit(self, signals: Sequence[Samples]) -> EngineOutput:
        """See :class:`asr.inference.engine.Engine`."""
        if self._pool and len(signals) > 1:
            return EngineOutput.concatenate(list(self._pool.map(self._emit, signals)))
        return EngineOutput.concatenate([self._emit(signal, self._pool) for signal in signals])

    def _emit(self, signal: Samples, pool: ThreadPoolExecutor | None = None) -> EngineOutput:
        x = extract(signal, self._config.mel_bins)[:, :, None]
        for convolution in self._convolutions:
            x = convolution.convolve(x)
        frames = len(x) * self._config.emissions
        x = self._input_norm(self._projection(x.reshape(len(x), -1)))
        intermediate = None
        for number, (layer, spec) in enumerate(
            zip(self._layers, self._architecture.layers, strict=True), 1
        ):
            x = layer(x, pool)
            if self._intermediate_head and number == self._architecture.intermediate_layer:
                emitted = self._config.emissions * spec.frames_stacked
                rows = self._intermediate_head(x).reshape(len(x) * emitted, -1)
                intermediate = _log_probs(rows, frames)
            if spec.stacks:
                x = np.pad(x, ((0, len(x) % 2), (0, 0))).reshape(-1, 2 * x.shape[1])
        emitted = self._architecture.frames_emitted
        if self._speller is None:
            log_probs = _log_probs(self._head(x).reshape(len(x) * emitted, -1), frames)
        else:
            layer, code = self._speller
            log_probs = _log_probs(self._head(code(layer(x, pool))), len(x))
            log_probs = log_probs.repeat(emitted, axis=1)[:, :frames]
        return EngineOutput(log_probs, np.array([frames]), intermediate)


def supports(config: ModelConfig) -> bool:
    """Whether this engine has kernels for all parts of a model."""
    return config.encoder.cell == "lstm" and not config.encoder.attention_window


def _log_probs(logits: Floats, frames: int) -> Floats:
    """Log-probabilities of the first ``frames`` rows, shape (1, frames, units)."""
    rows = logits[:frames]
    kernels.log_softmax(rows)
    return rows[None]


class _StoredWeights:
    """Weights by name, rearranged as the kernels read them.

    Raises:
        ValueError: weights are missing or of other shapes than the architecture's.
    """

    def __init__(
        self, weights: Mapping[str, NDArray[np.float16]], architecture: Architecture
    ) -> None:
        for name, shape in architecture.weight_shapes().items():
            if name not in weights or weights[name].shape != shape:
                raise ValueError(f"there is no {name} of shape {shape}")
        self._weights = weights
        self._architecture = architecture

    def convolution(self, spec: ConvolutionSpec) -> Affine:
        # Inputs by time, bin and channel, as they lie in a patch.
        weights = self._weights[f"{spec.name}.weight"].transpose(2, 3, 1, 0)
        packed = kernels.pack(weights.reshape(9 * spec.inputs, spec.outputs))
        return Affine(packed, self._vector(f"{spec.name}.bias"))

    def projection(self) -> Affine:
        """The projection of the front-end; its inputs are stored by channel, then bin."""
        spec, bins = self._architecture.projection, self._architecture.projected_bins
        # The convolutions here put out bins, then channels.
        weights = self._weights[f"{spec.name}.weight"].reshape(spec.outputs, -1, bins)
        packed = kernels.pack(weights.transpose(2, 1, 0).reshape(spec.inputs, spec.outputs))
        return Affine(packed, self._vector(f"{spec.name}.bias"))

    def linear(self, spec: LinearSpec) -> Affine:
        weights = kernels.pack(self._weights[f"{spec.name}.weight"].T)
        bias = (
            self._vector(f"{spec.name}.bias") if spec.bias else np.zeros(spec.outputs, np.float32)
        )
        return Affine(weights, bias)

    def norm(self, spec: NormSpec) -> Norm:
        return Norm(self._vector(f"{spec.name}.weight"), self._vector(f"{spec.name}.bias"))

    def layer(self, bottleneck: LinearSpec | None, spec: RecurrentSpec, norm: NormSpec) -> Layer:
        directions = [
            self._direction(name, backwards=index == 1)
            for index, name in enumerate(spec.directions)
        ]
        before = None if bottleneck is None else self.linear(bottleneck)
        return Layer(before, directions, self.norm(norm))

    def _direction(self, name: str, backwards: bool) -> Direction:
        return Direction(
            kernels.pack(self._weights[f"{name}.weight_ih_l0"].T),
            kernels.pack(self._weights[f"{name}.weight_hh_l0"].T),
            self._vector(f"{name}.bias_ih_l0") + self._vector(f"{name}.bias_hh_l0"),
            backwards,
        )

    def _vector(self, name: str) -> Floats:
        return self._weights[name].astype(np.float32)
