"""Recurrent cells by their equations, one step at a time.

Notation: at frame t a cell reads the input x_t and its own hidden state h_{t-1}. W are its weights
for the input, U those for the hidden state, b its biases; s is the logistic function, * multiplies
element by element. Gates lie between 0 and 1: the forget gate f, the input gate i and the output
gate o of the LSTMs; the reset gate r and the update gate z of the GRU. c is the cell state, c~ its
candidate.

The gates' matrices W stand one below the other in a single matrix, and so do the U, in the order of
torch's own layers: weights convert both ways. A step receives W x_t + b: :class:`Unrolled`
multiplies all frames of a batch at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

State = tuple[Tensor, ...]
"""State of a cell between frames, h first; each tensor of shape (batch, hidden)."""


class Cell(nn.Module, ABC):
    """One direction of a recurrent layer, frame by frame.

    Args:
        inputs: width of x.
        hidden: width of h.
    """

    blocks: ClassVar[tuple[str, ...]]  # the gates that rows of W, U and b belong to
    carried: ClassVar[int] = 1  # tensors in a state

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        rows = len(self.blocks) * hidden
        self.hidden = hidden
        self.W = nn.Parameter(torch.empty(rows, inputs))
        self.U = nn.Parameter(torch.empty(rows, hidden))
        self.b = nn.Parameter(torch.empty(rows))
        bound = hidden**-0.5  # torch's initialisation
        for parameter in (self.W, self.U, self.b):
            nn.init.uniform_(parameter, -bound, bound)

    def start(self, batch: int) -> State:
        """The state before the first frame: all zeros."""
        return tuple(self.U.new_zeros(batch, self.hidden) for _ in range(self.carried))

    def project(self, x: Tensor) -> Tensor:
        """W x + b, for one frame or for many: (..., inputs) to (..., blocks * hidden)."""
        return functional.linear(x, self.W, self.b)

    @abstractmethod
    def step(self, projected: Tensor, state: State) -> State:
        """One frame.

        Args:
            projected: W x_t + b, shape (batch, blocks * hidden).
            state: at t - 1.

        Returns:
            The state at t.
        """

    def load_torch(self, weights: Mapping[str, Tensor], suffix: str = "_l0") -> None:
        """Copies the weights of a layer of nn.LSTM, nn.GRU or nn.RNN.

        Args:
            weights: its state_dict.
            suffix: ``_l0`` for its first layer, ``_l0_reverse`` for that from right to left.
        """
        with torch.no_grad():
            self.W.copy_(weights[f"weight_ih{suffix}"])
            self.U.copy_(weights[f"weight_hh{suffix}"])
            self.b.copy_(weights[f"bias_ih{suffix}"] + weights[f"bias_hh{suffix}"])

    def to_torch(self, suffix: str = "_l0") -> dict[str, Tensor]:
        """The inverse of :meth:`load_torch`; torch's second bias is zero."""
        return {
            f"weight_ih{suffix}": self.W.detach().clone(),
            f"weight_hh{suffix}": self.U.detach().clone(),
            f"bias_ih{suffix}": self.b.detach().clone(),
            f"bias_hh{suffix}": torch.zeros_like(self.b),
        }

    def _recurrent(self, projected: Tensor, h: Tensor) -> Tensor:
        """W x_t + b + U h_{t-1}, in float32 or better at any precision of the products."""
        return _precise(projected) + _precise(functional.linear(h, self.U))


class Lstm(Cell):
    """Long short-term memory (Hochreiter and Schmidhuber 1997) with a forget gate (Gers 2000).

    i_t  = s(W_i x_t + U_i h_{t-1} + b_i)
    f_t  = s(W_f x_t + U_f h_{t-1} + b_f)
    c~_t = tanh(W_c x_t + U_c h_{t-1} + b_c)
    o_t  = s(W_o x_t + U_o h_{t-1} + b_o)
    c_t  = f_t * c_{t-1} + i_t * c~_t
    h_t  = o_t * tanh(c_t)
    """

    blocks = ("i", "f", "c~", "o")
    carried = 2

    def step(self, projected: Tensor, state: State) -> State:
        h, c = state
        i, f, candidate, o = self._recurrent(projected, h).chunk(4, dim=-1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(candidate)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, c


class PeepholeLstm(Cell):
    """An LSTM whose gates read the cell state (Gers and Schmidhuber 2000), through vectors p.

    i_t  = s(W_i x_t + U_i h_{t-1} + p_i * c_{t-1} + b_i)
    f_t  = s(W_f x_t + U_f h_{t-1} + p_f * c_{t-1} + b_f)
    c~_t = tanh(W_c x_t + U_c h_{t-1} + b_c)
    c_t  = f_t * c_{t-1} + i_t * c~_t
    o_t  = s(W_o x_t + U_o h_{t-1} + p_o * c_t + b_o)
    h_t  = o_t * tanh(c_t)
    """

    blocks = ("i", "f", "c~", "o")
    carried = 2

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden)
        self.p = nn.Parameter(torch.zeros(3, hidden))  # of i, f and o

    def step(self, projected: Tensor, state: State) -> State:
        h, c = state
        i, f, candidate, o = self._recurrent(projected, h).chunk(4, dim=-1)
        p_i, p_f, p_o = self.p
        i, f = torch.sigmoid(i + p_i * c), torch.sigmoid(f + p_f * c)
        c = f * c + i * torch.tanh(candidate)
        h = torch.sigmoid(o + p_o * c) * torch.tanh(c)
        return h, c


class CoupledLstm(Cell):
    """An LSTM with coupled gates (CIFG, Greff et al. 2017): f_t = 1 - i_t.

    i_t  = s(W_i x_t + U_i h_{t-1} + b_i)
    c~_t = tanh(W_c x_t + U_c h_{t-1} + b_c)
    o_t  = s(W_o x_t + U_o h_{t-1} + b_o)
    c_t  = (1 - i_t) * c_{t-1} + i_t * c~_t
    h_t  = o_t * tanh(c_t)
    """

    blocks = ("i", "c~", "o")
    carried = 2

    def step(self, projected: Tensor, state: State) -> State:
        h, c = state
        i, candidate, o = self._recurrent(projected, h).chunk(3, dim=-1)
        c = torch.lerp(c, torch.tanh(candidate), torch.sigmoid(i))
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, c


class Gru(Cell):
    """Gated recurrent unit (Cho et al. 2014), in the form that torch and cuDNN compute.

    r_t  = s(W_r x_t + U_r h_{t-1} + b_r)
    z_t  = s(W_z x_t + U_z h_{t-1} + b_z)
    h~_t = tanh(W_h x_t + b_h + r_t * (U_h h_{t-1} + u_h))
    h_t  = (1 - z_t) * h~_t + z_t * h_{t-1}
    """

    blocks = ("r", "z", "h~")

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__(inputs, hidden)
        self.u = nn.Parameter(torch.zeros(hidden))  # u_h, behind the reset gate

    def step(self, projected: Tensor, state: State) -> State:
        (h,) = state
        r, z, candidate = _precise(projected).chunk(3, dim=-1)
        h_r, h_z, h_candidate = _precise(functional.linear(h, self.U)).chunk(3, dim=-1)
        r, z = torch.sigmoid(r + h_r), torch.sigmoid(z + h_z)
        candidate = torch.tanh(candidate + r * (h_candidate + self.u))
        return (torch.lerp(candidate, h, z),)

    def load_torch(self, weights: Mapping[str, Tensor], suffix: str = "_l0") -> None:
        super().load_torch(weights, suffix)
        inside = slice(2 * self.hidden, None)
        with torch.no_grad():
            self.u.copy_(weights[f"bias_hh{suffix}"][inside])
            self.b[inside] -= self.u

    def to_torch(self, suffix: str = "_l0") -> dict[str, Tensor]:
        weights = super().to_torch(suffix)
        weights[f"bias_hh{suffix}"][2 * self.hidden :] = self.u.detach()
        return weights


class Rnn(Cell):
    """The plain recurrent network (Elman 1990): h_t = tanh(W x_t + U h_{t-1} + b)."""

    blocks = ("h",)

    def step(self, projected: Tensor, state: State) -> State:
        (h,) = state
        return (torch.tanh(self._recurrent(projected, h)),)


class Unrolled(nn.Module):
    """A cell over time, as :mod:`asr.acoustic.recurrent` uses it.

    Forward and backward passes take 1.1 to 1.7 times as long as torch's kernels (two cores, 320
    units; scripts/bench_cells): the product with U outweighs Python's overhead. Steps are not
    compiled: torch.compile gained next to nothing and starts slowly.
    """

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, inputs: Tensor) -> Tensor:
        """(frames, batch, inputs) to the hidden states, (frames, batch, hidden)."""
        return torch.stack([state[0] for state in self.states(inputs)])

    def states(self, inputs: Tensor) -> list[State]:
        """The state of every frame."""
        projected = self.cell.project(inputs)
        state = self.cell.start(inputs.shape[1])
        states = []
        for frame in projected.unbind():
            state = self.cell.step(frame, state)
            states.append(state)
        return states


def _precise(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
