"""Gates and states of a model's recurrent layers at every frame, by the cells' equations.

Torch's fused layers return only their outputs. Their weights are copied into the cell of
:mod:`asr.acoustic.cells` with the same equations, which is run on the layer's inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from asr.acoustic.cells import Cell, Gru, Lstm, PeepholeLstm, Rnn, Unrolled
from asr.acoustic.network import AcousticModel, Emissions
from asr.acoustic.recurrent import RecurrentLayer
from asr.features.mel import FRAMES_PER_SECOND

Array = NDArray[np.float64]

_EQUATIONS: dict[type[nn.Module], type[Cell]] = {nn.LSTM: Lstm, nn.GRU: Gru, nn.RNN: Rnn}


@dataclass(frozen=True)
class LayerTrace:
    """Gates, state and output of a recurrent layer; arrays are (frames, units) in order of time.

    Units are ordered as in the layer's output: first those that read from left to right, then those
    that read from right to left.
    """

    number: int  # of the layer, counted from 1
    hidden: int  # units of one direction
    seconds_per_frame: float
    gates: Mapping[str, Array]  # forget, input, output; or update, reset; or none
    state: Array  # the cell state c; the hidden state of cells without one
    output: Array  # the hidden state h

    @property
    def kept(self) -> Array | None:
        """The fraction of its state that a unit keeps from frame to frame.

        The forget gate f of the LSTMs (1 - i where it is coupled), the update gate z of the GRU.
        """
        return self.gates.get("forget", self.gates.get("update"))

    @property
    def frames(self) -> int:
        return len(self.output)

    @property
    def units(self) -> int:
        return int(self.output.shape[1])

    def reads(self, unit: int) -> str:
        """The reading direction of a unit, counted from 0, as an arrow."""
        return "→" if unit < self.hidden else "←"


@torch.inference_mode()
def trace(model: AcousticModel, features: Tensor) -> tuple[Emissions, list[LayerTrace]]:
    """Runs a model on one utterance and traces its recurrent layers.

    Args:
        model: in evaluation mode, on the CPU, with any of the cells.
        features: normalised log-mel frames, shape (frames, mel_bins).

    Returns:
        The emissions, a batch of one, and the recurrent layers from below.
    """
    layers = [module for module in model.encoder.modules() if isinstance(module, RecurrentLayer)]
    layer_inputs: list[Tensor] = []
    hooks = [
        layer.register_forward_pre_hook(lambda _, arguments: layer_inputs.append(arguments[0]))
        for layer in layers
    ]
    try:
        emissions: Emissions = model(features[None], torch.tensor([len(features)]))
    finally:
        for hook in hooks:
            hook.remove()
    frame = 2 ** len(model.config.front_end.channels) / FRAMES_PER_SECOND
    traces = []
    for number, (layer, inputs) in enumerate(zip(layers, layer_inputs, strict=True), 1):
        seconds = frame * model.encoder.frames_stacked(number)
        traces.append(_trace_layer(number, layer, inputs, seconds))
    return emissions, traces


def equation_cell(half: nn.Module) -> Cell:
    """The cell of one direction of a recurrent layer, also for torch's fused layers."""
    if isinstance(half, Unrolled):
        return half.cell
    layer = half.layer
    assert isinstance(layer, nn.RNNBase)
    cell = _EQUATIONS[type(layer)](layer.input_size, layer.hidden_size)
    cell.load_torch(layer.state_dict())
    return cell


def _trace_layer(
    number: int, layer: RecurrentLayer, inputs: Tensor, seconds_per_frame: float
) -> LayerTrace:
    """Runs both directions on ``inputs``, shape (frames, 1, width)."""
    halves = [_run(equation_cell(layer.forwards), inputs)]
    if layer.backwards is not None:
        there = _run(equation_cell(layer.backwards), inputs.flip(0))  # without padding
        halves.append({name: values[::-1] for name, values in there.items()})
    whole = {name: np.concatenate([half[name] for half in halves], axis=1) for name in halves[0]}
    c, h = whole.pop("c"), whole.pop("h")
    return LayerTrace(number, h.shape[1] // len(halves), seconds_per_frame, whole, c, h)


def _run(cell: Cell, inputs: Tensor) -> dict[str, Array]:
    """Gates by name, c and h of one direction, in the order of reading."""
    states = [cell.start(inputs.shape[1]), *Unrolled(cell).states(inputs)]
    # Every tensor of the state, at all frames and before the first one.
    h, *others = (torch.stack(tensors)[:, 0] for tensors in zip(*states, strict=True))
    c = others[0] if others else h
    found = _gates(cell, cell.project(inputs)[:, 0], h[:-1], c)
    found |= {"c": c[1:], "h": h[1:]}
    return {name: values.double().numpy() for name, values in found.items()}


def _gates(cell: Cell, projected: Tensor, h: Tensor, c: Tensor) -> dict[str, Tensor]:
    """The gates at all frames, in float64, which resolves forget gates near 1.

    Args:
        projected: W x_t + b, shape (frames, blocks * hidden).
        h: h_{t-1}, shape (frames, hidden).
        c: the cell state before the first frame and at every frame, shape (1 + frames, hidden).
    """
    if isinstance(cell, Rnn):
        return {}
    sums = (projected + functional.linear(h, cell.U)).double()
    block = dict(zip(cell.blocks, sums.chunk(len(cell.blocks), dim=-1), strict=True))
    if isinstance(cell, Gru):
        return {"update": torch.sigmoid(block["z"]), "reset": torch.sigmoid(block["r"])}
    if isinstance(cell, PeepholeLstm):
        p_i, p_f, p_o = cell.p
        block["i"] = block["i"] + p_i * c[:-1]
        block["f"] = block["f"] + p_f * c[:-1]
        block["o"] = block["o"] + p_o * c[1:]
    forget = torch.sigmoid(block["f"] if "f" in block else -block["i"])  # 1 - s(i) = s(-i)
    return {
        "forget": forget,
        "input": torch.sigmoid(block["i"]),
        "output": torch.sigmoid(block["o"]),
    }
