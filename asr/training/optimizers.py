"""Optimisers (AdamW, Muon) for the weights of a network, and the learning rate schedule."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable

import torch
from torch import Tensor, nn

from asr.acoustic.attention import LocalAttention
from asr.acoustic.cells import Cell, PeepholeLstm
from asr.config.schema import OptimizerName
from asr.training.muon import Muon


def make_optimizers(
    name: OptimizerName,
    model: nn.Module,
    rate: float,
    weight_decay: float,
    dtype: torch.dtype = torch.bfloat16,
) -> tuple[torch.optim.Optimizer, ...]:
    """The optimisers that share the weights of a network.

    Muon updates the matrices between hidden layers and AdamW the rest; with the name ``adamw``
    AdamW updates everything.

    Args:
        dtype: of Muon's matrix products.
    """
    tables = _tables(model)
    if name == "adamw":
        return (_adamw(model.parameters(), rate, weight_decay, tables),)
    maps = _maps(model)
    hidden = {
        parameter: maps.get(parameter, 1)
        for key, parameter in model.named_parameters()
        if parameter.ndim == 2 and "head." not in key and parameter not in tables
    }
    others = [parameter for parameter in model.parameters() if parameter not in hidden]
    muon = Muon(hidden, rate, weight_decay, dtype=dtype)
    return muon, _adamw(others, rate, weight_decay, tables)


def _adamw(
    parameters: Iterable[Tensor],
    rate: float,
    weight_decay: float,
    tables: Collection[Tensor] = frozenset(),
) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter 2019); biases and normalisation are not decayed.

    Args:
        tables: two-dimensional parameters that are no matrices; not decayed either.
    """
    parameters = list(parameters)
    matrices = {p for p in parameters if p.ndim > 1}.difference(tables)
    groups = [
        {"params": [p for p in parameters if p in matrices], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p not in matrices], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), fused=True)


def one_cycle(peak_rate: float, warm_up: float, done: float) -> float:
    """The learning rate when the fraction ``done`` of a training is over.

    The rate rises in a line to its peak during the fraction ``warm_up``, then falls along half a
    cosine to zero (Smith 2018).
    """
    if done < warm_up:
        return peak_rate * max(done / warm_up, 1e-3)
    fallen = (done - warm_up) / (1.0 - warm_up)
    return peak_rate * 0.5 * (1.0 + math.cos(math.pi * fallen))


def _tables(model: nn.Module) -> set[Tensor]:
    """Two-dimensional parameters that are no matrices: biases by distance, peepholes by gate."""
    modules = list(model.modules())
    biases = {module.bias for module in modules if isinstance(module, LocalAttention)}
    return biases | {module.p for module in modules if isinstance(module, PeepholeLstm)}


def _maps(model: nn.Module) -> dict[Tensor, int]:
    """The number of maps in each matrix of a recurrent layer, one for each gate."""
    maps: dict[Tensor, int] = {}
    for module in model.modules():
        if isinstance(module, nn.RNNBase):
            gates = module.get_parameter("weight_hh_l0").shape[0] // module.hidden_size
            maps |= {p: gates for p in module.parameters() if p.ndim == 2}
        elif isinstance(module, Cell):
            maps |= {module.W: len(module.blocks), module.U: len(module.blocks)}
    return maps
