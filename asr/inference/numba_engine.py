"""The acoustic model without torch: LSTM models on the CPU, by :mod:`asr.inference.kernels`.

It says what :mod:`asr.inference.torch_engine` says, to the fifth digit, is there at once and takes
a fraction of the memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from asr.audio.read import Samples
from asr.config.schema import ModelConfig, SpellerConfig
from asr.features.mel import FRAMES_PER_SECOND
from asr.inference import kernels
from asr.inference.engine import EngineOutput
from asr.inference.kernels import Floats, Weights
from asr.inference.numba_features import extract


@dataclass(frozen=True)
class Affine:
    """x W + b, as such or as a convolution."""

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
    """An LSTM layer in one direction or both, behind a map to fewer channels if there is one."""

    narrow: Affine | None
    directions: list[Direction]
    norm: Norm

    def __call__(self, x: Floats, pool: ThreadPoolExecutor | None) -> Floats:
        x = x if self.narrow is None else self.narrow(x)
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
        weights: by the names that :class:`asr.acoustic.network.AcousticModel` has for them.
        units: of the main head.
        intermediate_units: of the other one, if there is one.
        threads: that work at a time: on a signal each, or on a single one's two directions.

    Raises:
        ValueError: the weights are not those of such a model.
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
        halvings = len(config.front_end.channels)
        self.seconds_per_frame = 2.0**halvings / config.emissions / FRAMES_PER_SECOND

        stored, bins, hidden = _Stored(weights), config.mel_bins, config.encoder.hidden
        self._convolutions = []
        for number, (before, after) in enumerate(pairwise((1, *config.front_end.channels))):
            name = f"front_end.convolutions.{number}"
            self._convolutions.append(stored.convolution(name, before, after))
            bins = (bins + 1) // 2
        channels = config.front_end.channels[-1]
        self._projection = stored.projection("front_end.projection", channels, bins, hidden)
        self._input_norm = stored.norm("encoder.input_norm", hidden)

        both = config.encoder.bidirectional
        inputs, outputs = hidden, (2 if both else 1) * hidden
        self._layers: list[Layer] = []
        for number in range(1, config.encoder.layers + 1):
            narrow = None
            if number > 1 and (width := config.encoder.bottleneck):
                narrow = stored.narrow(f"encoder.bottlenecks.{number - 2}", inputs, width)
                inputs = width
            at = number - 1
            names = f"encoder.layers.{at}", f"encoder.norms.{at}"
            self._layers.append(stored.layer(*names, narrow, inputs, hidden, both))
            inputs = outputs * (2 if number == config.encoder.stack_after else 1)

        def head(name: str, layer: int, units: int) -> Affine:
            return stored.linear(name, outputs, units * self._emitted(layer))

        top = config.encoder.layers
        self._speller = None
        if speller := config.speller:
            self._speller = stored.speller(speller, outputs, both)
            self._head = stored.linear("head.linear", speller.code, units)
        else:
            self._head = head("head.linear", top, units)
        self._intermediate_head = None
        if lower := config.intermediate_layer:
            self._intermediate_head = head("intermediate_head.linear", lower, intermediate_units)
        # The kernels are compiled on their first use ever: here, and not while somebody times them.
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
        for number, layer in enumerate(self._layers, 1):
            x = layer(x, pool)
            if self._intermediate_head and number == self._config.intermediate_layer:
                rows = self._intermediate_head(x).reshape(len(x) * self._emitted(number), -1)
                intermediate = _log_probs(rows, frames)
            if number == self._config.encoder.stack_after:
                x = np.pad(x, ((0, len(x) % 2), (0, 0))).reshape(-1, 2 * x.shape[1])
        emitted = self._emitted(len(self._layers))
        if self._speller is None:
            log_probs = _log_probs(self._head(x).reshape(len(x) * emitted, -1), frames)
        else:
            layer, code = self._speller
            log_probs = _log_probs(self._head(code(layer(x, pool))), len(x))
            log_probs = log_probs.repeat(emitted, axis=1)[:, :frames]
        return EngineOutput(log_probs, np.array([frames]), intermediate)

    def _emitted(self, layer: int) -> int:
        """Frames of log-probabilities for each frame of a layer."""
        stacked = 0 < self._config.encoder.stack_after < layer
        return self._config.emissions * (2 if stacked else 1)


def supports(config: ModelConfig) -> bool:
    """Whether this engine knows all parts of a model."""
    return config.encoder.cell == "lstm" and not config.encoder.attention_window


def _log_probs(logits: Floats, frames: int) -> Floats:
    """Log-probabilities of so many frames, shape (1, frames, units)."""
    rows = logits[:frames]
    kernels.log_softmax(rows)
    return rows[None]


class _Stored:
    """Weights, in the order in which the kernels take them."""

    def __init__(self, weights: Mapping[str, NDArray[np.float16]]) -> None:
        self._weights = weights

    def convolution(self, name: str, before: int, after: int) -> Affine:
        # Inputs by time, bin and channel, as they lie in a patch.
        weights = self._take(f"{name}.weight", after, before, 3, 3).transpose(2, 3, 1, 0)
        bias = self._vector(f"{name}.bias", after)
        return Affine(kernels.pack(weights.reshape(9 * before, after)), bias)

    def projection(self, name: str, channels: int, bins: int, outputs: int) -> Affine:
        # Inputs by bin and channel, as the convolutions leave them; torch has it the other way.
        weights = self._take(f"{name}.weight", outputs, channels * bins)
        weights = weights.reshape(outputs, channels, bins).transpose(2, 1, 0)
        bias = self._vector(f"{name}.bias", outputs)
        return Affine(kernels.pack(weights.reshape(bins * channels, outputs)), bias)

    def linear(self, name: str, inputs: int, outputs: int) -> Affine:
        weights = self._take(f"{name}.weight", outputs, inputs)
        return Affine(kernels.pack(weights.T), self._vector(f"{name}.bias", outputs))

    def narrow(self, name: str, inputs: int, outputs: int) -> Affine:
        weights = self._take(f"{name}.weight", outputs, inputs)
        return Affine(kernels.pack(weights.T), np.zeros(outputs, np.float32))

    def layer(
        self, name: str, norm: str, narrow: Affine | None, inputs: int, hidden: int, both: bool
    ) -> Layer:
        turned = (False, True) if both else (False,)
        directions = [self.direction(name, inputs, hidden, backwards) for backwards in turned]
        return Layer(narrow, directions, self.norm(norm, len(turned) * hidden))

    def speller(self, config: SpellerConfig, inputs: int, both: bool) -> tuple[Layer, Affine]:
        narrow = self.narrow("speller.narrow", inputs, config.inputs)
        names = "speller.layer", "speller.norm"
        layer = self.layer(*names, narrow, config.inputs, config.hidden, both)
        width = config.hidden * (2 if both else 1)
        return layer, self.linear("speller.code", width, config.code)

    def norm(self, name: str, width: int) -> Norm:
        return Norm(self._vector(f"{name}.weight", width), self._vector(f"{name}.bias", width))

    def direction(self, name: str, inputs: int, hidden: int, backwards: bool) -> Direction:
        name = f"{name}.{'backwards' if backwards else 'forwards'}.layer"
        gates = 4 * hidden
        return Direction(
            kernels.pack(self._take(f"{name}.weight_ih_l0", gates, inputs).T),
            kernels.pack(self._take(f"{name}.weight_hh_l0", gates, hidden).T),
            self._vector(f"{name}.bias_ih_l0", gates) + self._vector(f"{name}.bias_hh_l0", gates),
            backwards,
        )

    def _vector(self, name: str, width: int) -> Floats:
        return self._take(name, width).astype(np.float32)

    def _take(self, name: str, *shape: int) -> NDArray[np.float16]:
        found = self._weights.get(name)
        if found is None or found.shape != shape:
            raise ValueError(f"there is no {name} of shape {shape}")
        return found
