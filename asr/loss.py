"""What training minimises: the CTC loss of each head, and how far two views of a batch differ."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from asr.batch import Batch, Targets
from asr.config import TrainConfig
from asr.ctc import ctc
from asr.model import Emissions, within


def training_loss(emissions: Emissions, batch: Batch, config: TrainConfig) -> tuple[Tensor, Tensor]:
    """What is minimised, and the CTC loss of the main head, both per unit of the targets."""
    weight = config.consistency_weight if batch.views == 2 else 0.0

    def of_head(log_probs: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
        ctc = ctc_loss(log_probs, emissions.lengths, targets)
        if not weight:
            return ctc, ctc
        apart = consistency_loss(log_probs, emissions.lengths) / targets.lengths.sum()
        return ctc + weight * apart, ctc

    loss, ctc = of_head(emissions.log_probs, batch.targets)
    if emissions.intermediate is not None:
        middle, _ = of_head(emissions.intermediate, batch.intermediate)
        loss = torch.lerp(loss, middle, config.intermediate_weight)
    return loss, ctc


def ctc_loss(log_probs: Tensor, lengths: Tensor, targets: Targets) -> Tensor:
    """The CTC loss (Graves et al. 2006) per unit of the targets, in float32.

    Args:
        log_probs: shape (batch, frames, units).
        lengths: frames of each utterance, shape (batch,).
        targets: of each utterance.
    """
    total = ctc(log_probs, lengths, targets.units, targets.lengths)
    return total / targets.lengths.sum()


def consistency_loss(log_probs: Tensor, lengths: Tensor) -> Tensor:
    """How far two views of the same utterances differ, summed over their frames.

    Each view learns from the other as it is: D(sg(a) || b) + D(sg(b) || a), with the
    Kullback-Leibler divergence D and sg stopping the gradient (CR-CTC, arXiv 2410.05101, eq. 5).

    Args:
        log_probs: shape (2 * utterances, frames, units), all first views before all second ones.
        lengths: frames of each utterance, shape (2 * utterances,).
    """
    first, second = log_probs.chunk(2)
    inside = within(lengths.chunk(2)[0], log_probs.shape[1])
    apart = _divergence(first.detach(), second) + _divergence(second.detach(), first)
    return (apart * inside).sum()


def _divergence(teacher: Tensor, student: Tensor) -> Tensor:
    each = functional.kl_div(student, teacher, reduction="none", log_target=True)
    return each.sum(-1)
