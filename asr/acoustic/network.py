"""The acoustic model: log-mel frames to log-probabilities of units.

Padding does not exist for the result: what lies beyond an utterance's length is zeroed before
every convolution, the recurrent layers read it last (see :mod:`asr.acoustic.recurrent`), and all
normalisation is within one frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from asr.acoustic.attention import LocalAttention
from asr.acoustic.recurrent import RecurrentLayer, reversal
from asr.config.schema import EncoderConfig, FrontEndConfig, HeadName, ModelConfig, SpellerConfig

Count = TypeVar("Count", int, Tensor)


@dataclass(frozen=True)
class Emissions:
    """What the model says about a batch; frames beyond an utterance's length mean nothing."""

    log_probs: Tensor  # float32, (batch, frames, units)
    lengths: Tensor  # frames of each utterance, (batch,)
    intermediate: Tensor | None = None  # log-probabilities of the intermediate head

    def head(self, name: HeadName) -> Tensor:
        """Log-probabilities of a head that the model has."""
        chosen = self.log_probs if name == "main" else self.intermediate
        assert chosen is not None
        return chosen

    def swap_halves(self) -> Emissions:
        """The second half of the batch before the first."""
        middle = self.intermediate
        return Emissions(
            _turned(self.log_probs),
            _turned(self.lengths),
            None if middle is None else _turned(middle),
        )


class FrontEnd(nn.Module):
    """Convolutions of 3 x 3 with stride 2 over time and mel bins, then a projection.

    ``n`` convolutions turn 10 ms frames into frames of ``10 * 2**n`` ms.
    """

    def __init__(self, config: FrontEndConfig, mel_bins: int, width: int) -> None:
        super().__init__()
        channels = (1, *config.channels)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, kernel_size=3, stride=2, padding=1)
            for before, after in pairwise(channels)
        )
        bins = mel_bins
        for _ in config.channels:
            bins = halve(bins)
        self.projection = nn.Linear(bins * channels[-1], width)
        # All channels of a pixel side by side: training takes two thirds of the time here.
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
    # From a single channel cuDNN takes a quarter of a training step for the weights' gradient.
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
    """Stacked recurrent layers with layer normalisation and dropout, perhaps attention between."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.stack_after = config.stack_after
        self.input_norm = nn.LayerNorm(config.hidden)
        self.layers = nn.ModuleList()
        self.norms = nn.ModuleList()
        self.bottlenecks = nn.ModuleList()  # before each layer but the first
        self.attentions = nn.ModuleList()  # behind each layer but the last
        width = config.hidden
        self.widths: list[int] = []  # of the outputs of each layer
        for number in range(1, config.layers + 1):
            if config.bottleneck and number > 1:
                self.bottlenecks.append(nn.Linear(width, config.bottleneck, bias=False))
                width = config.bottleneck
            layer = RecurrentLayer(config.cell, width, config.hidden, config.bidirectional)
            self.layers.append(layer)
            self.norms.append(nn.LayerNorm(layer.width))
            self.widths.append(layer.width)
            if config.attention_window and number < config.layers:
                self.attentions.append(LocalAttention(layer.width, config.attention_window))
            width = layer.width * (2 if number == self.stack_after else 1)
        self.dropout = VariationalDropout(config.dropout)

    def forward(self, inputs: Tensor, lengths: Tensor) -> list[Tensor]:
        """(batch, frames, hidden) to the outputs of all layers, each (batch, frames, width).

        Layers above ``stack_after`` have half as many frames, rounded up.
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
            if number == self.stack_after:
                x = stack_pairs(x * length_mask(lengths, len(x)).T[:, :, None])
                lengths = halve(lengths)
                order = reversal(lengths, len(x))
        return outputs

    def frames_stacked(self, layer: int) -> int:
        """How many frames of the front-end one frame of ``layer``, counted from 1, stands for."""
        return 2 if 0 < self.stack_after < layer else 1


class Head(nn.Module):
    """Log-probabilities of units, of one or several frames for each frame of the encoder."""

    def __init__(self, width: int, units: int, frames_emitted: int) -> None:
        super().__init__()
        self.units = units
        self.linear = nn.Linear(width, units * frames_emitted)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, frames, width) to float32 of shape (batch, frames * frames_emitted, units)."""
        logits = self.linear(x).unflatten(2, (-1, self.units)).flatten(1, 2)
        # In float32 whatever the precision: the CTC loss sums these over hundreds of frames.
        return functional.log_softmax(logits.float(), dim=-1)


class Speller(nn.Module):
    """What the encoder says, told in codes of which a head can tell units.

    A recurrent layer of the main head's own, which learns how words are spelled whose sounds the
    encoder knows (:mod:`asr.training.speller`).
    """

    def __init__(self, config: SpellerConfig, encoder: EncoderConfig, width: int) -> None:
        super().__init__()
        self.narrow = nn.Linear(width, config.inputs, bias=False)
        self.layer = RecurrentLayer(
            encoder.cell, config.inputs, config.hidden, encoder.bidirectional
        )
        self.norm = nn.LayerNorm(self.layer.width)
        self.code = nn.Linear(self.layer.width, config.code)
        self.dropout = VariationalDropout(config.dropout)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(batch, frames, width) to (batch, frames, code)."""
        x = self.narrow(self.dropout(x.transpose(0, 1)))
        x = self.dropout(self.norm(self.layer(x, reversal(lengths, len(x)))))
        codes: Tensor = self.code(x.transpose(0, 1))
        return codes


class AcousticModel(nn.Module):
    """Front-end, encoder and CTC head, perhaps with a speller between encoder and head; another
    head stands beside the first, on its own layer.
    """

    def __init__(
        self, config: ModelConfig, units: int, intermediate_units: int | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self.front_end = FrontEnd(config.front_end, config.mel_bins, config.encoder.hidden)
        self.encoder = Encoder(config.encoder)
        self.speller: Speller | None = None
        if config.speller is None:
            self.head = self._make_head(config.encoder.layers, units)
        else:
            self.speller = Speller(config.speller, config.encoder, self.encoder.widths[-1])
            self.head = Head(config.speller.code, units, 1)
        self.intermediate_head = (
            self._make_head(config.intermediate_layer, intermediate_units or units)
            if config.intermediate_layer
            else None
        )

    def _make_head(self, layer: int, units: int) -> Head:
        return Head(self.encoder.widths[layer - 1], units, self._emitted(layer))

    def _emitted(self, layer: int) -> int:
        """Frames of log-probabilities for each frame of a layer."""
        return self.encoder.frames_stacked(layer) * self.config.emissions

    def forward(self, features: Tensor, lengths: Tensor) -> Emissions:
        """Reads a batch.

        Args:
            features: normalised log-mel frames, shape (batch, frames, mel_bins).
            lengths: frames of each utterance, shape (batch,).
        """
        x, lengths = self.front_end(features, lengths)
        layers = self.encoder(x, lengths)
        emitted = x.shape[1] * self.config.emissions
        log_probs = self._spell(layers[-1], lengths)[:, :emitted]
        intermediate = None
        if self.intermediate_head is not None:
            middle = layers[self.config.intermediate_layer - 1]
            intermediate = self.intermediate_head(middle)[:, :emitted]
        return Emissions(log_probs, lengths * self.config.emissions, intermediate)

    def _spell(self, top: Tensor, lengths: Tensor) -> Tensor:
        """What the main head makes of the encoder's last layer.

        Args:
            top: shape (batch, frames, width).
            lengths: frames of the front-end, shape (batch,).
        """
        if self.speller is None:
            log_probs: Tensor = self.head(top)
            return log_probs
        layers = self.config.encoder.layers
        within_top = halve(lengths) if self.encoder.frames_stacked(layers) == 2 else lengths
        # Once for each frame of the encoder: its units are as long as several of an emission.
        log_probs = self.head(self.speller(top, within_top))
        return log_probs.repeat_interleave(self._emitted(layers), dim=1)

    @property
    def frames_per_emission(self) -> float:
        """How many frames of features one frame of log-probabilities stands for."""
        return 2.0 ** len(self.config.front_end.channels) / self.config.emissions

    def output_length(self, frames: int) -> int:
        """How many frames of log-probabilities come from that many frames of features."""
        for _ in self.config.front_end.channels:
            frames = halve(frames)
        return frames * self.config.emissions


_dropout_generator: ContextVar[torch.Generator | None] = ContextVar("generator", default=None)


@contextmanager
def dropout_generator(generator: torch.Generator | None) -> Iterator[None]:
    """Within it, in this thread, dropout draws from ``generator``; none for torch's own."""
    token = _dropout_generator.set(generator)
    try:
        yield
    finally:
        _dropout_generator.reset(token)


class VariationalDropout(nn.Module):
    """Drops channels of an utterance in all its frames (Gal and Ghahramani 2016)."""

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


def _turned(x: Tensor) -> Tensor:
    return torch.cat(x.chunk(2)[::-1])


def stack_pairs(x: Tensor) -> Tensor:
    """(frames, batch, width) to (frames / 2 rounded up, batch, 2 * width)."""
    if len(x) % 2:
        x = functional.pad(x, (0, 0, 0, 0, 0, 1))
    return torch.cat([x[0::2], x[1::2]], dim=-1)


def halve(count: Count) -> Count:
    """The frames (or bins) that a convolution with kernel 3, stride 2 and padding 1 leaves."""
    return (count + 1) // 2


def length_mask(lengths: Tensor, frames: int) -> Tensor:
    """True for frames inside an utterance, False for padding, shape (batch, frames)."""
    return torch.arange(frames, device=lengths.device) < lengths[:, None]
