"""Muon: orthogonalised momentum, one matrix per gate (Jordan et al. 2024)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

_ITERATIONS = 4
_QUINTIC = (3.4445, -4.7750, 2.0315)  # Jordan et al.: singular values end between 0.7 and 1.2
_LIKE_ADAMW = 0.2  # root mean square of a step of AdamW at rate 1 (Liu et al., arXiv 2502.16982)


class Muon(torch.optim.Optimizer):
    """Nesterov momentum whose singular values are brought near 1; weight decay as in AdamW.

    A recurrent layer's matrix holds one map per gate, stacked by rows. Each map is orthogonalised
    on its own: no gate's gradient shortens another's step, and the products are smaller. Maps of
    one shape are multiplied in one batch. (torch.optim.Muon takes whole matrices, one at a time.)

    Args:
        matrices: each with its number of maps, which have equally many rows.
        rate: learning rate on the scale of AdamW: updates have the same root mean square.
        weight_decay: decoupled weight decay.
        momentum: decay of the momentum.
        dtype: of the matrix products.
    """

    def __init__(
        self,
        matrices: Mapping[nn.Parameter, int],
        rate: float,
        weight_decay: float,
        momentum: float = 0.95,
        dtype: torch.dtype = torch.bfloat16,
    ) -> None:
        defaults = {"lr": rate, "weight_decay": weight_decay, "momentum": momentum}
        super().__init__(list(matrices), defaults)
        self.maps = [matrices[matrix] for matrix in self.param_groups[0]["params"]]
        self.dtype = dtype

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """One update of all matrices that have a gradient."""
        (group,) = self.param_groups
        alike: dict[Any, list[tuple[Tensor, Tensor]]] = defaultdict(list)
        for matrix, maps in zip(group["params"], self.maps, strict=True):
            if matrix.grad is None:
                continue
            state = self.state[matrix]
            if not state:
                state["momentum_buffer"] = torch.zeros_like(matrix)
            momentum = state["momentum_buffer"].lerp_(matrix.grad, 1.0 - group["momentum"])
            ahead = matrix.grad.lerp(momentum, group["momentum"])
            split = ahead.unflatten(0, (maps, -1))
            alike[split.shape[1:]].append((matrix, split))
        for (rows, columns), some in alike.items():
            steps = orthogonal(torch.cat([split for _, split in some]), self.dtype)
            length = group["lr"] * _LIKE_ADAMW * max(rows, columns) ** 0.5
            done = 0
            for matrix, split in some:
                step = steps[done : done + len(split)].flatten(0, 1)
                matrix.mul_(1.0 - group["lr"] * group["weight_decay"]).sub_(step, alpha=length)
                done += len(split)


def orthogonal(matrices: Tensor, dtype: torch.dtype) -> Tensor:
    """The nearest matrices with singular values near 1, by Newton-Schulz iterations.

    Args:
        matrices: shape (matrices, rows, columns).
        dtype: of the products.

    Returns:
        float32 of the same shape.
    """
    a, b, c = _QUINTIC
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = (x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)).to(dtype)
    for _ in range(_ITERATIONS):
        square = x @ x.mT
        factor = torch.baddbmm(square, square, square, beta=b, alpha=c)
        x = torch.baddbmm(x, factor, x, beta=a)
    return (x.mT if tall else x).float()
