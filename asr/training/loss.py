"""The training loss: CTC or CTC-CRF of each head, and the consistency of two views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from asr.acoustic.network import Emissions, length_mask
from asr.config.schema import HeadName, TrainConfig
from asr.training.batch import Targets
from asr.training.ctc_loss import ctc
from asr.training.denominator import denominator


def training_loss(
    emissions: Emissions,
    targets: Sequence[Targets],
    units: Sequence[int],
    config: TrainConfig,
    teacher: Emissions | None = None,
    models: Mapping[HeadName, Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """The loss that is minimised, and the CTC loss of the main head, both per unit.

    Args:
        emissions: of a batch, or of a part of one.
        targets: of the main head, and of the intermediate one.
        units: number of units in the targets of the whole batch, of each head; the losses of its
            parts add up.
        config: the weights of the terms.
        teacher: emissions of the other view of each utterance, if there is one.
        models: unit language models of the heads that have a denominator; see
            :func:`asr.training.denominator.trigram`.
    """

    def of_head(head: HeadName, targets: Targets, units: int) -> tuple[Tensor, Tensor]:
        log_probs = emissions.head(head)
        loss = ctc_loss = ctc(log_probs, emissions.lengths, targets.units, targets.lengths) / units
        if models and head in models:
            anything = denominator(log_probs, emissions.lengths, models[head]) / units
            loss = loss + config.denominator_weight * anything
        if teacher is not None:
            apart = consistency_loss(log_probs, teacher.head(head), emissions.lengths) / units
            loss = loss + config.consistency_weight * apart
        return loss, ctc_loss

    loss, main = of_head("main", targets[0], units[0])
    if emissions.intermediate is not None:
        middle, _ = of_head("intermediate", targets[1], units[1])
        loss = torch.lerp(loss, middle, config.intermediate_weight)
    return loss, main


def consistency_loss(log_probs: Tensor, teacher: Tensor, lengths: Tensor) -> Tensor:
    """The divergence of utterances from their other views, summed over frames.

    The Kullback-Leibler divergence D(sg(teacher) || view), where sg stops the gradient (CR-CTC, Yao
    et al., arXiv 2410.05101, eq. 5, where the other view's divergence is added).

    Args:
        log_probs: shape (utterances, frames, units).
        teacher: of the other views, the same shape.
        lengths: frames of each utterance, shape (utterances,).
    """
    each = functional.kl_div(log_probs, teacher.detach(), reduction="none", log_target=True)
    return (each.sum(-1) * length_mask(lengths, log_probs.shape[1])).sum()
