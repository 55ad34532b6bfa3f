"""The gradients of a batch.

On a CPU a batch is split in two, its two views or the halves of its utterances, each in a thread of
its own: recurrent steps are too small for several threads. On a GPU it stays whole.
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
    """Computes the gradient of a batch's loss, scaled, for each parameter of ``model``.

    Args:
        features: from :meth:`Batch.features`, shape (views * utterances, frames, bins).
        lengths: frames of each, shape (views * utterances,).
        precision: of the forward pass.
        models: unit language models, as :func:`asr.training.loss.training_loss` takes them.

    Returns:
        The loss, and the CTC loss of the main head alone, both per unit.
    """
    parts = split(batch, features, lengths)
    emit = partial(_emit, model, precision)
    seeds = (
        [None] * len(parts) if features.is_cuda else torch.randint(1 << 62, (len(parts),)).tolist()
    )
    emitted = run_in_threads(
        [partial(emit, part, seed) for part, seed in zip(parts, seeds, strict=True)]
    )
    units = [int(targets.lengths.sum()) for targets in (batch.targets, batch.intermediate)]
    parameters = list(model.parameters())

    def differentiate(
        part: Part, emissions: Emissions, teacher: Emissions | None
    ) -> tuple[Tensor, Tensor, Sequence[Tensor]]:
        loss, main = training_loss(emissions, part.targets, units, config, teacher, models)
        gradients = torch.autograd.grad(scaler.scale(loss), parameters)
        return loss.detach(), main.detach(), gradients

    teachers = _teachers(emitted, batch.views)
    results = run_in_threads(
        [partial(differentiate, *each) for each in zip(parts, emitted, teachers, strict=True)]
    )
    set_gradients(parameters, [gradients for *_, gradients in results])
    return sum(float(loss) for loss, *_ in results), sum(float(main) for _, main, _ in results)


def set_gradients(parameters: Sequence[Tensor], parts: Sequence[Sequence[Tensor]]) -> None:
    """Sets each parameter's gradient to the sum over one or two parts."""
    for parameter, *gradients in zip(parameters, *parts, strict=True):
        parameter.grad = gradients[0] if len(gradients) == 1 else gradients[0] + gradients[1]


def split(batch: Batch, features: Tensor, lengths: Tensor) -> list[Part]:
    """The parts of a batch that are differentiated at the same time."""
    rows = torch.arange(len(lengths), device=lengths.device)
    if features.is_cuda or len(rows) == 1:
        return [Part(features, lengths, (batch.targets, batch.intermediate))]
    halves = rows.chunk(2) if batch.views == 2 else (rows[::2], rows[1::2])
    return [Part.of(batch, features, lengths, half) for half in halves]


def _emit(model: nn.Module, precision: str, part: Part, seed: int | None) -> Emissions:
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    with autocast(precision, part.features.device), dropout_generator(generator):
        emissions: Emissions = model(part.features, part.lengths)
    return emissions


def _teachers(emitted: Sequence[Emissions], views: int) -> Sequence[Emissions | None]:
    """For each part the emissions of the other views of its utterances."""
    if views == 1:
        return [None] * len(emitted)
    return emitted[::-1] if len(emitted) == 2 else [emitted[0].swap_halves()]
