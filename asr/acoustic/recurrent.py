"""The seam behind which the recurrent cell sits.

A cell here is a layer that reads a batch from left to right: (frames, batch, inputs) to
(frames, batch, hidden). Direction is made outside of it: to read from right to left, each
utterance is turned round within its own length. Padding then always lies behind the last frame
read, so it can't touch a result in either direction, and no cell has to know about lengths.
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
        if inputs.is_cuda:  # cuDNN's fastest kernels take multiples of eight alone
            inputs = functional.pad(inputs, (0, 0, 0, -rows % 8))
        outputs: Tensor = self.layer(inputs)[0][:, :rows]
        return outputs


def _lstm(inputs: int, hidden: int) -> nn.Module:
    layer = nn.LSTM(inputs, hidden)
    _remember(dict(layer.named_parameters())["bias_ih_l0"], Lstm.blocks, "f")
    return _TorchCell(layer)


def _peephole(inputs: int, hidden: int) -> nn.Module:
    cell = PeepholeLstm(inputs, hidden)
    _remember(cell.b, cell.blocks, "f")
    return Unrolled(cell)


def _coupled(inputs: int, hidden: int) -> nn.Module:
    cell = CoupledLstm(inputs, hidden)
    _remember(cell.b, cell.blocks, "i", -1.0)  # what it doesn't take in, it keeps
    return Unrolled(cell)


def _gru(inputs: int, hidden: int) -> nn.Module:
    return _TorchCell(nn.GRU(inputs, hidden))


def _rnn(inputs: int, hidden: int) -> nn.Module:
    return _TorchCell(nn.RNN(inputs, hidden))


def _remember(bias: Tensor, blocks: Sequence[str], gate: str, value: float = 1.0) -> None:
    """Lets a cell remember by default (Jozefowicz et al. 2015)."""
    with torch.no_grad():
        bias.chunk(len(blocks))[blocks.index(gate)].fill_(value)


# A new cell is one more entry here, and its name one more choice in EncoderConfig. Torch's kernels
# are taken where there are some, the equations of asr.acoustic.cells elsewhere.
CELLS: dict[str, Callable[[int, int], nn.Module]] = {
    "lstm": _lstm,
    "peephole": _peephole,
    "cifg": _coupled,
    "gru": _gru,
    "rnn": _rnn,
}


class RecurrentLayer(nn.Module):
    """A cell, or two of them that read from both ends, their outputs side by side."""

    def __init__(self, cell: str, inputs: int, hidden: int, bidirectional: bool) -> None:
        super().__init__()
        self.forwards = CELLS[cell](inputs, hidden)
        self.backwards = CELLS[cell](inputs, hidden) if bidirectional else None
        self.width = hidden * (2 if bidirectional else 1)

    def forward(self, inputs: Tensor, order: Tensor) -> Tensor:
        """Applies the layer.

        Args:
            inputs: shape (frames, batch, inputs).
            order: what :func:`reversal` gives for the batch.

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
    """For each utterance the order that turns it round and leaves its padding where it is.

    Args:
        lengths: frames of each utterance, shape (batch,).
        frames: of the padded batch.

    Returns:
        indices, shape (frames, batch); applying them twice changes nothing.
    """
    time = torch.arange(frames, device=lengths.device)[:, None]
    return torch.where(time < lengths, lengths - 1 - time, time)


def turn(inputs: Tensor, order: Tensor) -> Tensor:
    """Reorders the frames of ``inputs``, shape (frames, batch, width), by :func:`reversal`."""
    turned: Tensor = _Turn.apply(inputs, order)  # type: ignore[no-untyped-call]
    return turned


class _Turn(torch.autograd.Function):
    """Its own inverse, so that gradients are reordered like values instead of being summed."""

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
