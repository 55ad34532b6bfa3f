"""Recurrent layers in one direction or both, over any of the cells.

A cell module reads a batch from left to right: (frames, batch, inputs) to (frames, batch, hidden).
The layer makes the other direction: it reverses each utterance within its own length. Padding then
lies behind the last frame read in both directions, so it can't reach a result, and no cell needs
the lengths.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from asr.acoustic.cells import CoupledLstm, Lstm, PeepholeLstm, Unrolled
from asr.runtime.parallel import apply_in_parallel


class _TorchCell(nn.Module):
    """One of torch's recurrent layers, in one direction, from a zero state."""

    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, inputs: Tensor) -> Tensor:
        rows = inputs.shape[1]
        if inputs.is_cuda:  # cuDNN's fastest kernels need a multiple of eight
            inputs = functional.pad(inputs, (0, 0, 0, -rows % 8))
        outputs: Tensor = self.layer(inputs)[0][:, :rows]
        return outputs


def _lstm(inputs: int, hidden: int) -> nn.Module:
    layer = nn.LSTM(inputs, hidden)
    _set_gate_bias(dict(layer.named_parameters())["bias_ih_l0"], Lstm.blocks, "f")
    return _TorchCell(layer)


def _peephole(inputs: int, hidden: int) -> nn.Module:
    cell = PeepholeLstm(inputs, hidden)
    _set_gate_bias(cell.b, cell.blocks, "f")
    return Unrolled(cell)


def _coupled(inputs: int, hidden: int) -> nn.Module:
    cell = CoupledLstm(inputs, hidden)
    _set_gate_bias(cell.b, cell.blocks, "i", -1.0)  # i = 1 - f
    return Unrolled(cell)


def _gru(inputs: int, hidden: int) -> nn.Module:
    return _TorchCell(nn.GRU(inputs, hidden))


def _rnn(inputs: int, hidden: int) -> nn.Module:
    return _TorchCell(nn.RNN(inputs, hidden))


def _set_gate_bias(bias: Tensor, blocks: Sequence[str], gate: str, value: float = 1.0) -> None:
    """Opens the gate that keeps the state at the start (Jozefowicz et al. 2015)."""
    with torch.no_grad():
        bias.chunk(len(blocks))[blocks.index(gate)].fill_(value)


# A new cell is one more entry here, its name one more choice in EncoderConfig, its weights one more
# case in asr.acoustic.architecture. Torch's kernels are used where they exist, the equations of
# asr.acoustic.cells elsewhere.
CELLS: dict[str, Callable[[int, int], nn.Module]] = {
    "lstm": _lstm,
    "peephole": _peephole,
    "cifg": _coupled,
    "gru": _gru,
    "rnn": _rnn,
}


class RecurrentLayer(nn.Module):
    """One cell, or two that read from both ends, with their outputs side by side."""

    def __init__(self, cell: str, inputs: int, hidden: int, bidirectional: bool) -> None:
        super().__init__()
        self.forwards = CELLS[cell](inputs, hidden)
        self.backwards = CELLS[cell](inputs, hidden) if bidirectional else None
        self.width = hidden * (2 if bidirectional else 1)

    def forward(self, inputs: Tensor, order: Tensor) -> Tensor:
        """Applies the layer.

        Args:
            inputs: shape (frames, batch, inputs).
            order: from :func:`reversal`.

        Returns:
            shape (frames, batch, width).
        """
        if self.backwards is None:
            outputs: Tensor = self.forwards(inputs)
            return outputs
        left, right = apply_in_parallel(
            (self.forwards, self.backwards), (inputs, turn(inputs, order))
        )
        return torch.cat([left, turn(right, order)], dim=-1)


def reversal(lengths: Tensor, frames: int) -> Tensor:
    """The order of frames that reverses each utterance and keeps its padding in place.

    Args:
        lengths: frames of each utterance, shape (batch,).
        frames: of the padded batch.

    Returns:
        Indices, shape (frames, batch); they are their own inverse.
    """
    time = torch.arange(frames, device=lengths.device)[:, None]
    return torch.where(time < lengths, lengths - 1 - time, time)


def turn(inputs: Tensor, order: Tensor) -> Tensor:
    """Reorders the frames of ``inputs``, shape (frames, batch, width), by :func:`reversal`."""
    turned: Tensor = _Turn.apply(inputs, order)  # type: ignore[no-untyped-call]
    return turned


class _Turn(torch.autograd.Function):
    """Reorders gradients by the same indices, their own inverse, instead of scattering sums."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, order: Tensor) -> Tensor:
        ctx.save_for_backward(order)
        return _reorder(inputs, order)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (order,) = ctx.saved_tensors
        return _reorder(gradient, order), None


def _reorder(x: Tensor, order: Tensor) -> Tensor:
    return x[order, torch.arange(x.shape[1], device=x.device)]
