"""The network's layers, with the names and shapes of their weights, derived from its config.

Both engines build from this description: :mod:`asr.acoustic.network` with torch,
:mod:`asr.inference.numba_engine` without. The names are those of the stored weights.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

from asr.config.schema import ModelConfig

if TYPE_CHECKING:
    from torch import Tensor

Count = TypeVar("Count", int, "Tensor")
Shapes = dict[str, tuple[int, ...]]

# Gate matrices that stand one below the other in the weights of a cell.
_GATES = {"lstm": 4, "peephole": 4, "cifg": 3, "gru": 3, "rnn": 1}
_HEAD_WIDTH = 64  # channels of an attention head
_FUSED = ("lstm", "gru", "rnn")  # cells that are torch's own layers, with torch's names


@dataclass(frozen=True)
class ConvolutionSpec:
    """A convolution of 3 x 3 with stride 2 over time and mel bins."""

    name: str
    inputs: int  # channels
    outputs: int  # channels

    def shapes(self) -> Shapes:
        """The shape of each weight, by name."""
        weight = (self.outputs, self.inputs, 3, 3)
        return {f"{self.name}.weight": weight, f"{self.name}.bias": (self.outputs,)}


@dataclass(frozen=True)
class LinearSpec:
    """x W + b."""

    name: str
    inputs: int
    outputs: int
    bias: bool = True

    def shapes(self) -> Shapes:
        """The shape of each weight, by name."""
        shapes: Shapes = {f"{self.name}.weight": (self.outputs, self.inputs)}
        return shapes | ({f"{self.name}.bias": (self.outputs,)} if self.bias else {})


@dataclass(frozen=True)
class NormSpec:
    """Layer normalisation with scale and shift."""

    name: str
    width: int

    def shapes(self) -> Shapes:
        """The shape of each weight, by name."""
        return {f"{self.name}.weight": (self.width,), f"{self.name}.bias": (self.width,)}


@dataclass(frozen=True)
class RecurrentSpec:
    """A recurrent layer in one direction or both."""

    name: str
    cell: str
    inputs: int
    hidden: int  # of one direction
    bidirectional: bool

    @property
    def width(self) -> int:
        """The width of the outputs: both directions side by side."""
        return self.hidden * (2 if self.bidirectional else 1)

    @property
    def directions(self) -> tuple[str, ...]:
        """The prefix of each direction's weights, that from left to right first."""
        names = ("forwards", "backwards") if self.bidirectional else ("forwards",)
        inner = "layer" if self.cell in _FUSED else "cell"
        return tuple(f"{self.name}.{name}.{inner}" for name in names)

    def shapes(self) -> Shapes:
        """The shape of each weight, by name."""
        rows = _GATES[self.cell] * self.hidden
        of_input, of_state, bias = (rows, self.inputs), (rows, self.hidden), (rows,)
        each: Shapes
        if self.cell in _FUSED:
            each = {"weight_ih_l0": of_input, "weight_hh_l0": of_state}
            each |= {"bias_ih_l0": bias, "bias_hh_l0": bias}
        else:
            each = {"W": of_input, "U": of_state, "b": bias}
            each |= {"p": (3, self.hidden)} if self.cell == "peephole" else {}
        return {f"{name}.{key}": shape for name in self.directions for key, shape in each.items()}


@dataclass(frozen=True)
class AttentionSpec:
    """Multi-head self-attention within a window (:mod:`asr.acoustic.attention`)."""

    name: str
    width: int
    heads: int
    window: int  # frames to either side

    def shapes(self) -> Shapes:
        """The shape of each weight, by name."""
        width = self.width
        return {
            **NormSpec(f"{self.name}.norm", width).shapes(),
            **LinearSpec(f"{self.name}.query_key_value", width, 3 * width, bias=False).shapes(),
            **LinearSpec(f"{self.name}.output", width, width).shapes(),
            f"{self.name}.bias": (self.heads, 2 * self.window + 1),
        }


@dataclass(frozen=True)
class EncoderLayerSpec:
    """A recurrent layer of the encoder, with its neighbours."""

    bottleneck: LinearSpec | None  # before the layer
    recurrent: RecurrentSpec
    norm: NormSpec  # behind the layer
    attention: AttentionSpec | None  # behind the norm
    frames_stacked: int  # frames of the front-end that one frame of the layer stands for
    stacks: bool  # whether pairs of its output frames are joined for the next layer

    def shapes(self) -> Shapes:
        """The shape of each weight, by name."""
        parts = (self.bottleneck, self.recurrent, self.norm, self.attention)
        return _merge(part.shapes() for part in parts if part is not None)


@dataclass(frozen=True)
class SpellerSpec:
    """The main head's own recurrent layer, between encoder and head."""

    bottleneck: LinearSpec
    recurrent: RecurrentSpec
    norm: NormSpec
    code: LinearSpec

    def shapes(self) -> Shapes:
        """The shape of each weight, by name."""
        parts = (self.bottleneck, self.recurrent, self.norm, self.code)
        return _merge(part.shapes() for part in parts)


@dataclass(frozen=True)
class HeadSpec:
    """Log-probabilities of units, of one or several frames for each frame of a layer."""

    linear: LinearSpec
    units: int
    frames_emitted: int  # log-probability frames for each frame of the layer below

    def shapes(self) -> Shapes:
        """The shape of each weight, by name."""
        return self.linear.shapes()


@dataclass(frozen=True)
class Architecture:
    """All layers of an acoustic model, from its features to its heads."""

    convolutions: tuple[ConvolutionSpec, ...]
    projection: LinearSpec  # of the last convolution's channels and bins
    input_norm: NormSpec
    layers: tuple[EncoderLayerSpec, ...]  # from below
    speller: SpellerSpec | None
    head: HeadSpec
    intermediate_head: HeadSpec | None
    intermediate_layer: int  # below the intermediate head, counted from 1; 0 without one
    frames_emitted: int  # log-probability frames for each frame of the top layer

    @property
    def projected_bins(self) -> int:
        """Mel bins that the convolutions leave."""
        return self.projection.inputs // self.convolutions[-1].outputs

    def weight_shapes(self) -> Shapes:
        """The shape of every stored weight, by name."""
        parts = (
            *self.convolutions,
            self.projection,
            self.input_norm,
            *self.layers,
            self.speller,
            self.head,
            self.intermediate_head,
        )
        return _merge(part.shapes() for part in parts if part is not None)


def describe(
    config: ModelConfig, units: int, intermediate_units: int | None = None
) -> Architecture:
    """Derives the network's layers from its config.

    Args:
        config: the model.
        units: of the main head, the blank included.
        intermediate_units: of the intermediate head; by default as many.
    """
    encoder, channels = config.encoder, (1, *config.front_end.channels)
    convolutions = tuple(
        ConvolutionSpec(f"front_end.convolutions.{index}", inputs, outputs)
        for index, (inputs, outputs) in enumerate(pairwise(channels))
    )
    bins = config.mel_bins
    for _ in convolutions:
        bins = halve(bins)
    layers = tuple(_encoder_layers(config))
    top = layers[-1].recurrent.width
    emitted = [config.emissions * layer.frames_stacked for layer in layers]
    speller = None
    if (code := config.speller) is not None:
        recurrent = RecurrentSpec(
            "speller.layer", encoder.cell, code.inputs, code.hidden, encoder.bidirectional
        )
        speller = SpellerSpec(
            LinearSpec("speller.narrow", top, code.inputs, bias=False),
            recurrent,
            NormSpec("speller.norm", recurrent.width),
            LinearSpec("speller.code", recurrent.width, code.code),
        )
        # The speller's frames are repeated behind the head: its units outlast an emission.
        head = _head("head", code.code, units, 1)
    else:
        head = _head("head", top, units, emitted[-1])
    intermediate = None
    if number := config.intermediate_layer:
        width = layers[number - 1].recurrent.width
        others = intermediate_units or units
        intermediate = _head("intermediate_head", width, others, emitted[number - 1])
    return Architecture(
        convolutions,
        LinearSpec("front_end.projection", bins * channels[-1], encoder.hidden),
        NormSpec("encoder.input_norm", encoder.hidden),
        layers,
        speller,
        head,
        intermediate,
        config.intermediate_layer,
        emitted[-1],
    )


def attention_heads(width: int) -> int:
    """Heads of a self-attention layer: of 64 channels each where the width allows."""
    return math.gcd(width, max(1, width // _HEAD_WIDTH))


def halve(count: Count) -> Count:
    """Frames or bins that a convolution with kernel 3, stride 2 and padding 1 leaves."""
    return (count + 1) // 2


def _encoder_layers(config: ModelConfig) -> Iterator[EncoderLayerSpec]:
    encoder = config.encoder
    width = encoder.hidden
    for number in range(1, encoder.layers + 1):
        index = number - 1
        bottleneck = attention = None
        if encoder.bottleneck and number > 1:
            name = f"encoder.bottlenecks.{number - 2}"
            bottleneck = LinearSpec(name, width, encoder.bottleneck, bias=False)
            width = encoder.bottleneck
        recurrent = RecurrentSpec(
            f"encoder.layers.{index}", encoder.cell, width, encoder.hidden, encoder.bidirectional
        )
        width = recurrent.width
        norm = NormSpec(f"encoder.norms.{index}", width)
        if encoder.attention_window and number < encoder.layers:
            heads = attention_heads(width)
            name = f"encoder.attentions.{index}"
            attention = AttentionSpec(name, width, heads, encoder.attention_window)
        frames_stacked = 2 if 0 < encoder.stack_after < number else 1
        stacks = number == encoder.stack_after
        yield EncoderLayerSpec(bottleneck, recurrent, norm, attention, frames_stacked, stacks)
        width *= 2 if stacks else 1


def _head(name: str, width: int, units: int, frames_emitted: int) -> HeadSpec:
    linear = LinearSpec(f"{name}.linear", width, units * frames_emitted)
    return HeadSpec(linear, units, frames_emitted)


def _merge(parts: Iterator[Shapes]) -> Shapes:
    return {name: shape for shapes in parts for name, shape in shapes.items()}
