"""The acoustic model: log-mel frames to log-probabilities of units.

Padding never changes a result: frames beyond an utterance's length are zeroed before every
convolution, the recurrent layers read them last (:mod:`asr.acoustic.recurrent`), and all
normalisation is within one frame. Layers and widths come from :mod:`asr.acoustic.architecture`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from asr.acoustic.architecture import (
    Architecture,
    HeadSpec,
    LinearSpec,
    RecurrentSpec,
    SpellerSpec,
    describe,
    halve,
)
from asr.acoustic.attention import LocalAttention
from asr.acoustic.recurrent import RecurrentLayer, reversal
from asr.config.schema import HeadName, ModelConfig


@dataclass(frozen=True)
class Emissions:
    """Log-probabilities of a batch; frames beyond an utterance's length are undefined."""

    log_probs: Tensor  # float32, (batch, frames, units)
    lengths: Tensor  # frames of each utterance, (batch,)
    intermediate: Tensor | None = None  # log-probabilities of the intermediate head

    def head(self, name: HeadName) -> Tensor:
        """Log-probabilities of one of the model's heads."""
        chosen = self.log_probs if name == "main" else self.intermediate
        assert chosen is not None
        return chosen

    def swap_halves(self) -> Emissions:
        """The second half of the batch before the first."""
        middle = self.intermediate
        return Emissions(
            _swap_halves(self.log_probs),
            _swap_halves(self.lengths),
            None if middle is None else _swap_halves(middle),
        )


class FrontEnd(nn.Module):
    """Convolutions of 3 x 3 with stride 2 over time and mel bins, then a projection.

    ``n`` convolutions turn 10 ms frames into frames of ``10 * 2**n`` ms.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(spec.inputs, spec.outputs, kernel_size=3, stride=2, padding=1)
            for spec in architecture.convolutions
        )
        self.projection = _linear(architecture.projection)
        # With the channels of a pixel side by side, training takes a third less time here.
        self.convolutions.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, frames, bins) to (batch, fewer frames, width), and the lengths likewise."""
        x = features[:, None]
        for convolution in self.convolutions:
            x = x * length_mask(lengths, x.shape[2])[:, None, :, None]
            x = functional.relu(_convolve(convolution, x))
            lengths = halve(lengths)
        return self.projection(x.transpose(1, 2).flatten(2)), lengths


def _convolve(convolution: nn.Module, x: Tensor) -> Tensor:
    # For one input channel, cuDNN's gradient of the weights takes a quarter of a training step.
    if x.is_cuda and x.shape[1] == 1:
        return convolve_as_product(convolution, x)
    convolved: Tensor = convolution(x)
    return convolved


def convolve_as_product(convolution: nn.Module, x: Tensor) -> Tensor:
    """A convolution of the front-end, from one channel, as a product of patches and weights."""
    patches = functional.pad(x[:, 0], (1, 1, 1, 1)).unfold(1, 3, 2).unfold(2, 3, 2).flatten(3)
    weight, bias = convolution.get_parameter("weight"), convolution.get_parameter("bias")
    return functional.linear(patches, weight.flatten(1), bias).permute(0, 3, 1, 2)


class Encoder(nn.Module):
    """Stacked recurrent layers with layer normalisation, dropout and optional attention."""

    def __init__(self, architecture: Architecture, dropout: float) -> None:
        super().__init__()
        self.specs = architecture.layers
        self.input_norm = nn.LayerNorm(architecture.input_norm.width)
        self.layers = nn.ModuleList()
        self.norms = nn.ModuleList()
        self.bottlenecks = nn.ModuleList()  # before each layer but the first
        self.attentions = nn.ModuleList()  # behind each layer but the last
        self.widths = [spec.recurrent.width for spec in self.specs]  # of each layer's outputs
        for spec in self.specs:
            if spec.bottleneck:
                self.bottlenecks.append(_linear(spec.bottleneck))
            self.layers.append(_recurrent(spec.recurrent))
            self.norms.append(nn.LayerNorm(spec.norm.width))
            if spec.attention:
                self.attentions.append(LocalAttention(spec.attention.width, spec.attention.window))
        self.dropout = VariationalDropout(dropout)

    def forward(self, inputs: Tensor, lengths: Tensor) -> list[Tensor]:
        """(batch, frames, hidden) to the outputs of all layers, each (batch, frames, width).

        Layers above a stacking one have half as many frames, rounded up.
        """
        x = self.dropout(self.input_norm(inputs.transpose(0, 1)))
        order = reversal(lengths, len(x))
        outputs = []
        for number, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True), 1):
            if self.bottlenecks and number > 1:
                x = self.bottlenecks[number - 2](x)
            x = self.dropout(norm(layer(x, order)))
            if number <= len(self.attentions):
                x = x + self.dropout(self.attentions[number - 1](x, lengths))
            outputs.append(x.transpose(0, 1))
            if self.specs[number - 1].stacks:
                x = stack_pairs(x * length_mask(lengths, len(x)).T[:, :, None])
                lengths = halve(lengths)
                order = reversal(lengths, len(x))
        return outputs

    def frames_stacked(self, layer: int) -> int:
        """Frames of the front-end that one frame of ``layer``, counted from 1, stands for."""
        return self.specs[layer - 1].frames_stacked


class Head(nn.Module):
    """Log-probabilities of units, of one or several frames for each frame of the encoder."""

    def __init__(self, spec: HeadSpec) -> None:
        super().__init__()
        self.units = spec.units
        self.linear = _linear(spec.linear)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, frames, width) to float32 of shape (batch, frames * frames_emitted, units)."""
        logits = self.linear(x).unflatten(2, (-1, self.units)).flatten(1, 2)
        # In float32 at any precision: the CTC loss sums these over hundreds of frames.
        return functional.log_softmax(logits.float(), dim=-1)


class Speller(nn.Module):
    """The main head's own recurrent layer, between the encoder and a low-rank output layer.

    It learns spelling: it is trained on text too, with encoder outputs of other recordings
    (:mod:`asr.training.speller`). Attributes are named as the stored weights are.
    """

    def __init__(self, spec: SpellerSpec, dropout: float) -> None:
        super().__init__()
        self.narrow = _linear(spec.bottleneck)
        self.layer = _recurrent(spec.recurrent)
        self.norm = nn.LayerNorm(spec.norm.width)
        self.code = _linear(spec.code)
        self.dropout = VariationalDropout(dropout)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(batch, frames, width) to (batch, frames, code)."""
        x = self.narrow(self.dropout(x.transpose(0, 1)))
        x = self.dropout(self.norm(self.layer(x, reversal(lengths, len(x)))))
        codes: Tensor = self.code(x.transpose(0, 1))
        return codes


class AcousticModel(nn.Module):
    """Front-end, encoder and CTC head, with an optional speller between encoder and head, and an
    optional second head on an intermediate layer.
    """

    def __init__(
        self, config: ModelConfig, units: int, intermediate_units: int | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self.architecture = describe(config, units, intermediate_units)
        self.front_end = FrontEnd(self.architecture)
        self.encoder = Encoder(self.architecture, config.encoder.dropout)
        self.speller: Speller | None = None
        if config.speller is not None:
            assert self.architecture.speller is not None
            self.speller = Speller(self.architecture.speller, config.speller.dropout)
        self.head = Head(self.architecture.head)
        intermediate = self.architecture.intermediate_head
        self.intermediate_head = None if intermediate is None else Head(intermediate)

    def forward(self, features: Tensor, lengths: Tensor) -> Emissions:
        """Encodes a batch and emits log-probabilities.

        Args:
            features: normalised log-mel frames, shape (batch, frames, mel_bins).
            lengths: frames of each utterance, shape (batch,).
        """
        x, lengths = self.front_end(features, lengths)
        layers = self.encoder(x, lengths)
        emitted = x.shape[1] * self.config.emissions
        log_probs = self._main_head(layers[-1], lengths)[:, :emitted]
        intermediate = None
        if self.intermediate_head is not None:
            middle = layers[self.architecture.intermediate_layer - 1]
            intermediate = self.intermediate_head(middle)[:, :emitted]
        return Emissions(log_probs, lengths * self.config.emissions, intermediate)

    def _main_head(self, top: Tensor, lengths: Tensor) -> Tensor:
        """Log-probabilities of the main head, from the encoder's top layer.

        Args:
            top: shape (batch, frames, width).
            lengths: frames of the front-end, shape (batch,).
        """
        if self.speller is None:
            log_probs: Tensor = self.head(top)
            return log_probs
        stacked = self.architecture.layers[-1].frames_stacked == 2
        # One emission for each encoder frame, repeated: the speller's units are that long.
        log_probs = self.head(self.speller(top, halve(lengths) if stacked else lengths))
        return log_probs.repeat_interleave(self.architecture.frames_emitted, dim=1)

    @property
    def frames_per_emission(self) -> float:
        """Feature frames that one frame of log-probabilities stands for."""
        return 2.0 ** len(self.config.front_end.channels) / self.config.emissions

    def output_length(self, frames: int) -> int:
        """Frames of log-probabilities emitted for ``frames`` of features."""
        for _ in self.config.front_end.channels:
            frames = halve(frames)
        return frames * self.config.emissions


_dropout_generator: ContextVar[torch.Generator | None] = ContextVar("generator", default=None)


@contextmanager
def dropout_generator(generator: torch.Generator | None) -> Iterator[None]:
    """Makes dropout in this thread draw from ``generator`` (None: torch's own) within the block."""
    token = _dropout_generator.set(generator)
    try:
        yield
    finally:
        _dropout_generator.reset(token)


class VariationalDropout(nn.Module):
    """Drops the same channels in all frames of an utterance (Gal and Ghahramani 2016)."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        """Acts on shape (frames, batch, channels) in training, and not at all otherwise."""
        if not self.training or self.probability == 0.0:
            return x
        kept = 1.0 - self.probability
        drawn = torch.empty_like(x[:1]).bernoulli_(kept, generator=_dropout_generator.get())
        return x * (drawn / kept)


def _swap_halves(x: Tensor) -> Tensor:
    return torch.cat(x.chunk(2)[::-1])


def _linear(spec: LinearSpec) -> nn.Linear:
    return nn.Linear(spec.inputs, spec.outputs, bias=spec.bias)


def _recurrent(spec: RecurrentSpec) -> RecurrentLayer:
    return RecurrentLayer(spec.cell, spec.inputs, spec.hidden, spec.bidirectional)


def stack_pairs(x: Tensor) -> Tensor:
    """(frames, batch, width) to (frames / 2 rounded up, batch, 2 * width)."""
    if len(x) % 2:
        x = functional.pad(x, (0, 0, 0, 0, 0, 1))
    return torch.cat([x[0::2], x[1::2]], dim=-1)


def length_mask(lengths: Tensor, frames: int) -> Tensor:
    """True for frames inside an utterance, False for padding, shape (batch, frames)."""
    return torch.arange(frames, device=lengths.device) < lengths[:, None]
