"""The gradients of a batch.

On a CPU a batch is heard in two parts at a time, its two views or the halves of its utterances,
each in a thread of its own: recurrent steps are too small to be shared. On a GPU it is heard whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler

from asr.acoustic.network import Emissions, dropout_generator
from asr.config.schema import HeadName, TrainConfig
from asr.runtime.device import autocast
from asr.runtime.parallel import run_in_threads
from asr.training.batch import Batch, Targets
from asr.training.loss import training_loss


@dataclass(frozen=True)
class Part:
    """Some rows of a batch."""

    features: Tensor
    lengths: Tensor
    targets: tuple[Targets, Targets]  # of the main head and of the intermediate one

    @classmethod
    def of(cls, batch: Batch, features: Tensor, lengths: Tensor, rows: Tensor) -> Part:
        lengths = lengths[rows]
        targets = batch.targets.of_rows(rows), batch.intermediate.of_rows(rows)
        return cls(features[rows, : int(lengths.max())], lengths, targets)


def backward(
    model: nn.Module,
    batch: Batch,
    features: Tensor,
    lengths: Tensor,
    config: TrainConfig,
    precision: str,
    scaler: GradScaler,
    models: Mapping[HeadName, Tensor] | None = None,
) -> tuple[float, float]:
    """Leaves the gradients of a batch's loss, scaled, with the parameters of ``model``.

    Args:
        features: what :meth:`Batch.features` returns.
        lengths: likewise.
        precision: of the forward pass.
        models: language models of units, as :func:`asr.training.loss.training_loss` takes them.

    Returns:
        The loss, and that of the main head alone, without what is asked of its views.
    """
    parts = split(batch, features, lengths)
    hear = partial(_hear, model, precision)
    seeds = (
        [None] * len(parts) if features.is_cuda else torch.randint(1 << 62, (len(parts),)).tolist()
    )
    heard = run_in_threads(
        [partial(hear, part, seed) for part, seed in zip(parts, seeds, strict=True)]
    )
    units = [int(targets.lengths.sum()) for targets in (batch.targets, batch.intermediate)]
    parameters = list(model.parameters())

    def differentiate(
        part: Part, emissions: Emissions, teacher: Emissions | None
    ) -> tuple[Tensor, Tensor, Sequence[Tensor]]:
        loss, main = training_loss(emissions, part.targets, units, config, teacher, models)
        gradients = torch.autograd.grad(scaler.scale(loss), parameters)
        return loss.detach(), main.detach(), gradients

    teachers = _teachers(heard, batch.views)
    found = run_in_threads(
        [partial(differentiate, *each) for each in zip(parts, heard, teachers, strict=True)]
    )
    leave(parameters, [gradients for *_, gradients in found])
    return sum(float(loss) for loss, *_ in found), sum(float(main) for _, main, _ in found)


def leave(parameters: Sequence[Tensor], parts: Sequence[Sequence[Tensor]]) -> None:
    """Leaves the sum of the gradients of one or two parts with the parameters."""
    for parameter, *gradients in zip(parameters, *parts, strict=True):
        parameter.grad = gradients[0] if len(gradients) == 1 else gradients[0] + gradients[1]


def split(batch: Batch, features: Tensor, lengths: Tensor) -> list[Part]:
    """The parts in which a batch is heard."""
    rows = torch.arange(len(lengths), device=lengths.device)
    if features.is_cuda or len(rows) == 1:
        return [Part(features, lengths, (batch.targets, batch.intermediate))]
    halves = rows.chunk(2) if batch.views == 2 else (rows[::2], rows[1::2])
    return [Part.of(batch, features, lengths, half) for half in halves]


def _hear(model: nn.Module, precision: str, part: Part, seed: int | None) -> Emissions:
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    with autocast(precision, part.features.device), dropout_generator(generator):
        emissions: Emissions = model(part.features, part.lengths)
    return emissions


def _teachers(heard: Sequence[Emissions], views: int) -> Sequence[Emissions | None]:
    """What each part's utterances were heard as in their other views."""
    if views == 1:
        return [None] * len(heard)
    return heard[::-1] if len(heard) == 2 else [heard[0].swap_halves()]
