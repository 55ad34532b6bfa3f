"""How weights follow their gradients, in every training of this project."""

from __future__ import annotations

import math

import torch
from torch import nn


def make_optimizer(model: nn.Module, rate: float, weight_decay: float) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter 2019); biases and normalisation are not decayed."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
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
