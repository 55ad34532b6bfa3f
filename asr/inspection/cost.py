"""Cost of a model by layer: parameters, multiply-accumulates, memory.

Multiply-accumulates are those of matrix products and convolutions, nearly all the work.
Element-wise functions, normalisation, features and decoder are not counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from asr.acoustic.architecture import halve
from asr.acoustic.attention import LocalAttention
from asr.acoustic.network import AcousticModel
from asr.acoustic.recurrent import RecurrentLayer
from asr.config.schema import Recipe
from asr.features.mel import FRAMES_PER_SECOND
from asr.inspection.trace import equation_cell
from asr.tokenizers.tokenizer import CharacterTokenizer, PhoneTokenizer

NUMBER = 4  # bytes of an activation in float32


@dataclass(frozen=True)
class LayerCost:
    """Cost of a layer per second of audio."""

    name: str
    parameters: int
    rate: float  # output frames a second
    macs: int  # multiply-accumulates per second of audio
    state: int  # bytes of float32 carried from frame to frame
    held: int  # bytes of float32 kept per second of audio, if the layer reads from both ends


@dataclass(frozen=True)
class ModelCost:
    """Costs of all layers, in the order in which audio passes them."""

    layers: tuple[LayerCost, ...]

    @property
    def total(self) -> LayerCost:
        """The sum; its rate is that of the last layer."""
        return LayerCost(
            "total",
            sum(layer.parameters for layer in self.layers),
            self.layers[-1].rate,
            sum(layer.macs for layer in self.layers),
            sum(layer.state for layer in self.layers),
            sum(layer.held for layer in self.layers),
        )

    def to_json(self) -> dict[str, Any]:
        """The layers and their total."""
        return {"layers": [asdict(layer) for layer in self.layers], "total": asdict(self.total)}


def measure_cost(model: AcousticModel) -> ModelCost:
    """The cost of every layer of a model."""
    return ModelCost((*_front_end(model), *_encoder(model), *_heads(model)))


def untrained_model(recipe: Recipe) -> AcousticModel:
    """The model that a recipe trains, with its initial weights."""
    sizes = {
        "characters": len(CharacterTokenizer()),
        "phones": len(PhoneTokenizer()),
        "bpe": recipe.units.size + 1,  # the blank
    }
    units = sizes[recipe.units.kind]
    return AcousticModel(recipe.model, units, sizes[recipe.units.intermediate or recipe.units.kind])


def _front_end(model: AcousticModel) -> Iterator[LayerCost]:
    rate, bins = FRAMES_PER_SECOND, model.config.mel_bins
    for number, convolution in enumerate(model.front_end.convolutions, 1):
        assert isinstance(convolution, nn.Conv2d)
        # A step reads three frames, of which the next step reads the last again.
        state = NUMBER * bins * convolution.in_channels
        rate, bins = rate / 2, halve(bins)
        macs = rate * bins * convolution.weight.numel()
        yield _cost(f"convolution {number}", [convolution], rate, macs, state)
    projection = model.front_end.projection
    yield _cost("projection", [projection], rate, rate * projection.weight.numel())


def _encoder(model: AcousticModel) -> Iterator[LayerCost]:
    encoder = model.encoder
    base = FRAMES_PER_SECOND / 2 ** len(model.front_end.convolutions)
    yield _cost("input norm", [encoder.input_norm], base, 0)
    for number, (layer, norm) in enumerate(zip(encoder.layers, encoder.norms, strict=True), 1):
        assert isinstance(layer, RecurrentLayer)
        rate = base / encoder.frames_stacked(number)
        if number > 1 and encoder.bottlenecks:
            linear = encoder.bottlenecks[number - 2]
            assert isinstance(linear, nn.Linear)
            yield _cost(f"bottleneck {number}", [linear], rate, rate * linear.weight.numel())
        yield _recurrent(f"{model.config.encoder.cell} {number}", layer, norm, rate)
        if number <= len(encoder.attentions):
            attention = encoder.attentions[number - 1]
            assert isinstance(attention, LocalAttention)
            yield _attention(f"attention {number}", attention, rate)


def _recurrent(name: str, layer: RecurrentLayer, norm: nn.Module, rate: float) -> LayerCost:
    halves = [half for half in (layer.forwards, layer.backwards) if half is not None]
    cells = [equation_cell(half) for half in halves]
    products = sum(cell.W.numel() + cell.U.numel() for cell in cells)
    state = NUMBER * sum(cell.carried * cell.hidden for cell in cells)
    held = NUMBER * rate * layer.width if layer.backwards is not None else 0
    return _cost(name, [layer, norm], rate, rate * products, state, held)


def _attention(name: str, attention: LocalAttention, rate: float) -> LayerCost:
    """Each frame attends to three windows."""
    width, visible = attention.output.in_features, 3 * attention.window
    products = attention.query_key_value.weight.numel() + attention.output.weight.numel()
    state = NUMBER * 2 * visible * width  # keys and values in view
    return _cost(name, [attention], rate, rate * (products + 2 * visible * width), state)


def _heads(model: AcousticModel) -> Iterator[LayerCost]:
    base = FRAMES_PER_SECOND / 2 ** len(model.front_end.convolutions)
    top = base / model.encoder.frames_stacked(model.config.encoder.layers)
    if (head := model.intermediate_head) is not None:
        rate = base / model.encoder.frames_stacked(model.config.intermediate_layer)
        yield _cost("intermediate head", [head], rate, rate * head.linear.weight.numel())
    if (speller := model.speller) is not None:
        layer, linear = speller.layer, [speller.narrow, speller.code]
        yield _recurrent("speller", layer, speller.norm, top)
        products = sum(module.weight.numel() for module in linear)
        yield _cost("speller's maps", linear, top, top * products)
    yield _cost("head", [model.head], top, top * model.head.linear.weight.numel())


def _cost(
    name: str,
    modules: Sequence[nn.Module],
    rate: float,
    macs: float,
    state: float = 0,
    held: float = 0,
) -> LayerCost:
    parameters = sum(p.numel() for module in modules for p in module.parameters())
    return LayerCost(name, parameters, rate, round(macs), round(state), round(held))
