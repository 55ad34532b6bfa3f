"""The weights under training and their update: scaling, clipping, optimisers, averaging."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn
from torch.amp.grad_scaler import GradScaler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from asr.config.schema import AveragedOptimizerConfig, OptimizerConfig, OptimizerName
from asr.errors import AsrError
from asr.training.optimizers import make_optimizers


@dataclass(frozen=True)
class Learner:
    """A model with its optimisers and its averaged weights."""

    model: nn.Module
    optimizers: tuple[torch.optim.Optimizer, ...]
    scaler: GradScaler  # of losses, for gradients in float16
    clip_norm: float
    averaged: AveragedModel | None  # the exponential moving average of the weights

    @classmethod
    def create(
        cls, model: nn.Module, config: OptimizerConfig, precision: str, device: torch.device
    ) -> Learner:
        """Optimisers for a model, and the average of its weights if the settings have a decay."""
        name: OptimizerName = "adamw"
        averaged = None
        if isinstance(config, AveragedOptimizerConfig):
            name = config.optimizer
            averaging = get_ema_multi_avg_fn(config.average_decay)  # type: ignore[no-untyped-call]
            averaged = AveragedModel(model, multi_avg_fn=averaging)
        dtype = torch.float32 if precision == "float32" else torch.bfloat16
        optimizers = make_optimizers(name, model, config.peak_rate, config.weight_decay, dtype)
        scaler = GradScaler(device.type, enabled=precision == "float16")
        return cls(model, optimizers, scaler, config.clip_norm, averaged)

    @property
    def average(self) -> nn.Module:
        """The model with the averaged weights."""
        return cast(AveragedModel, self.averaged).module

    def set_rate(self, rate: float) -> None:
        """Sets the learning rate of the next update."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate

    def update(self, loss: float) -> bool:
        """One update of the weights from the gradients of their parameters.

        Returns:
            False, and the weights stay as they are, if the loss or the gradient is not finite.
        """
        for optimizer in self.optimizers:
            self.scaler.unscale_(optimizer)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_norm)
        finite = math.isfinite(loss) and math.isfinite(norm)
        if finite:
            for optimizer in self.optimizers:
                self.scaler.step(optimizer)
            if self.averaged is not None:
                self.averaged.update_parameters(self.model)
        self.scaler.update()
        return finite

    def state_dict(self) -> dict[str, Any]:
        """Weights, moments, average and scale, by the keys of a state file."""
        state = {
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "scaler": self.scaler.state_dict(),
        }
        return state | ({"averaged": self.averaged.state_dict()} if self.averaged else {})

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores a state from :meth:`state_dict`.

        Raises:
            AsrError: the optimisers have other groups of weights.
        """
        self.model.load_state_dict(state["model"])
        if self.averaged is not None:
            self.averaged.load_state_dict(state["averaged"])
        # States from before the choice of optimisers hold one.
        saved = state["optimizers"] if "optimizers" in state else [state["optimizer"]]
        for optimizer, contents in zip(self.optimizers, saved, strict=True):
            try:
                optimizer.load_state_dict(contents)
            except ValueError as error:  # biases of attention and peepholes were once decayed
                raise AsrError(
                    "was started by an earlier version that decayed other weights; finish it with "
                    "that one, or start anew with another output"
                ) from error
            # A fused step walks through memory: moments must lie there as their weights do.
            for weight, moments in optimizer.state.items():
                for name, moment in moments.items():
                    if moment.shape == weight.shape:
                        moments[name] = torch.empty_like(weight).copy_(moment)
        self.scaler.load_state_dict(state.get("scaler", {}))
