"""How weights follow their gradients, in every training of this project."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable

import torch
from torch import Tensor, nn

from asr.attention import LocalAttention
from asr.cells import PeepholeLstm
from asr.config import OptimizerName


def make_optimizers(
    name: OptimizerName, model: nn.Module, rate: float, weight_decay: float
) -> tuple[torch.optim.Optimizer, ...]:
    """The optimizers that share the weights of an acoustic model.

    Muon (Jordan et al. 2024, scaled as in Liu et al., arXiv 2502.16982, so that AdamW's rates serve
    it too) gives a step the same length in every direction of a matrix. It takes the matrices that
    lie between hidden layers; AdamW has the rest, or with the name ``adamw`` everything.
    """
    tables = _tables(model)
    if name == "adamw":
        return (adamw(model.parameters(), rate, weight_decay, tables),)
    hidden = {
        parameter
        for key, parameter in model.named_parameters()
        if parameter.ndim == 2 and "head." not in key and parameter not in tables
    }
    muon = torch.optim.Muon(
        [parameter for parameter in model.parameters() if parameter in hidden],
        lr=rate,
        weight_decay=weight_decay,
        adjust_lr_fn="match_rms_adamw",
    )
    others = [parameter for parameter in model.parameters() if parameter not in hidden]
    return muon, adamw(others, rate, weight_decay, tables)


def adamw(
    parameters: Iterable[Tensor],
    rate: float,
    weight_decay: float,
    tables: Collection[Tensor] = frozenset(),
) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter 2019); biases and normalisation are not decayed.

    Args:
        tables: parameters that are several vectors, none of them a matrix; not decayed either.
    """
    parameters = list(parameters)
    matrices = {p for p in parameters if p.ndim > 1}.difference(tables)
    groups = [
        {"params": [p for p in parameters if p in matrices], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p not in matrices], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), fused=True)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Makes ``rate`` the learning rate of the next step."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def one_cycle(peak_rate: float, warm_up: float, done: float) -> float:
    """The rate when the fraction ``done`` of all training is over.

    It rises in a line to the peak during the fraction ``warm_up`` and falls along half a cosine to
    zero (Smith 2018).
    """
    if done < warm_up:
        return peak_rate * max(done / warm_up, 1e-3)
    fallen = (done - warm_up) / (1.0 - warm_up)
    return peak_rate * 0.5 * (1.0 + math.cos(math.pi * fallen))


def _tables(model: nn.Module) -> set[Tensor]:
    """What has two dimensions but multiplies nothing: biases by distance, peepholes by gate."""
    modules = list(model.modules())
    biases = {module.bias for module in modules if isinstance(module, LocalAttention)}
    return biases | {module.p for module in modules if isinstance(module, PeepholeLstm)}
