"""How likely the audio makes any sequence of units at all: the denominator of CTC-CRF.

CTC asks that the units of the transcript be likely. What else the audio might be it leaves to the
frames, one by one, so a model learns to say once more what a language model says already, which
then counts twice in a search. Where the denominator is taken off, the transcript has to be likelier
than the other sequences that a language model of units thinks well of, and only what it does not
know is left to be learned (CTC-CRF: Xiang and Ou, arXiv 1911.08747, eq. 4; lattice-free MMI: Povey
et al. 2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from asr.tokenizers.tokenizer import BLANK

# The blank's place among the units, which a language model does not need for the blank.
_BORDER = BLANK

MOST_UNITS = 160  # memory grows with their cube in the model, with their square in every frame


def trigram(targets: Sequence[Sequence[int]], units: int) -> Tensor:
    """A language model of units, smoothed after Witten and Bell (1991, method C).

    Args:
        targets: sequences of units from 1 to ``units - 1``.
        units: how many there are, the blank included.

    Returns:
        P(unit | the two before), indexed by these three in order; the border of a sequence, in
        front of it or behind it, is 0.
    """
    bordered = [np.array([_BORDER, _BORDER, *target, _BORDER]) for target in targets]
    triples = np.concatenate([np.stack([row[:-2], row[1:-1], row[2:]]) for row in bordered], axis=1)
    probabilities = np.full(units, 1.0 / units)
    for order in (1, 2, 3):
        counts = np.zeros((units,) * order)
        np.add.at(counts, tuple(triples[3 - order :]), 1.0)
        kinds = (counts > 0).sum(-1, keepdims=True)
        total = counts.sum(-1, keepdims=True) + kinds
        smoothed = (counts + kinds * probabilities) / np.maximum(total, 1.0)
        probabilities = np.where(total > 0, smoothed, probabilities)
    return torch.from_numpy(probabilities).float()


def denominator(log_probs: Tensor, lengths: Tensor, model: Tensor) -> Tensor:
    """ln of the sum of P(units | audio) P(units) over all sequences of units.

    Args:
        log_probs: shape (batch, frames, units), the blank first.
        lengths: frames of each utterance, shape (batch,).
        model: as :func:`trigram` returns it.

    Returns:
        Summed over the batch.
    """
    total: Tensor = _Denominator.apply(log_probs, lengths, model)  # type: ignore[no-untyped-call]
    return total


class _Denominator(torch.autograd.Function):
    """Forward-backward over what a path can end in; finds the gradient together with the sum.

    A path ends in its last two units and in either of a blank and the last one of them. All paths
    that do are one number, shape (last unit, utterance, unit before), as a part of those of all
    paths up to the same frame. The longest utterances stand first, so those that go on do, too.
    """

    @staticmethod
    def forward(ctx: Any, log_probs: Tensor, lengths: Tensor, model: Tensor) -> Tensor:
        order = lengths.argsort(descending=True, stable=True)
        sorted_lengths = lengths[order]
        frames = int(sorted_lengths[0])
        # Shape (frames, units, utterances).
        emitted = log_probs.detach()[order, :frames].float().exp().permute(1, 2, 0).contiguous()
        going = (sorted_lengths > torch.arange(frames, device=lengths.device)[:, None]).sum(1)
        steps = _Steps(emitted, going.tolist(), model.to(emitted.device))
        total, posteriors = steps.forward_backward()
        gradient = torch.zeros_like(log_probs)
        gradient[order, :frames] = posteriors.permute(2, 0, 1).to(gradient.dtype)
        ctx.save_for_backward(gradient)
        return log_probs.new_tensor(total)

    @staticmethod
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return gradient * scale, None, None


class _Steps:
    """One batch of forward-backward.

    Args:
        emitted: P(unit | audio), shape (frames, units, utterances).
        going: how many utterances have each frame.
        model: P(unit | the two before).
    """

    def __init__(self, emitted: Tensor, going: Sequence[int], model: Tensor) -> None:
        self._blank = emitted[:, BLANK].clone()
        self._units = emitted.index_fill(1, torch.tensor([BLANK], device=emitted.device), 0.0)
        self._going = going
        self._next = model.transpose(0, 1).contiguous()  # by last unit, unit before, next unit
        self._same = self._next.diagonal(dim1=0, dim2=2).T.contiguous()  # that repeat the last one
        self._ends = self._next[:, None, :, _BORDER]

    def forward_backward(self) -> tuple[float, Tensor]:
        """The sum for all utterances, and each frame's posteriors, shaped as the emissions."""
        frames, units, utterances = self._units.shape
        in_blank = self._units.new_zeros((frames + 1, units, utterances, units))
        in_unit = torch.zeros_like(in_blank)
        in_blank[0, _BORDER, :, _BORDER] = 1.0
        total = torch.zeros(utterances, dtype=torch.float64, device=in_blank.device)
        for t, count in enumerate(self._going):
            blank, unit = self._forward(t, in_blank[t, :, :count], in_unit[t, :, :count])
            scale = (blank + unit).sum((0, 2))
            total[:count] += scale.double().log()
            torch.div(blank, scale[:, None], out=in_blank[t + 1, :, :count])
            torch.div(unit, scale[:, None], out=in_unit[t + 1, :, :count])

        posteriors = torch.zeros_like(self._units)
        ends = self._ends.expand(units, utterances, units)
        after_blank = after_unit = ends[:, :0]
        for t in range(frames - 1, -1, -1):
            count = self._going[t]
            ending = ends[:, after_blank.shape[1] : count]  # whose last frame this is
            after_blank = torch.cat([after_blank, ending], 1)
            after_unit = torch.cat([after_unit, ending], 1)
            found = posteriors[t, :, :count]
            torch.sum(in_unit[t + 1, :, :count] * after_unit, 2, out=found)
            found[BLANK] = (in_blank[t + 1, :, :count] * after_blank).sum((0, 2))
            scale = found.sum(0)
            if ending.shape[1]:
                ended = slice(count - ending.shape[1], count)
                total[ended] += scale[ended].double().log()
            found /= scale
            after_blank, after_unit = self._backward(t, after_blank, after_unit, scale)
        return float(total.sum()), posteriors

    def _forward(self, t: int, blank: Tensor, unit: Tensor) -> tuple[Tensor, Tensor]:
        """Paths up to frame ``t``, from those up to the frame before."""
        count = blank.shape[1]
        either = blank + unit
        entered = torch.bmm(either, self._next).permute(2, 1, 0)
        again = (unit * self._same[:, None]).sum(2)  # not without a blank between
        entered.diagonal(dim1=0, dim2=2).sub_(again.T)
        heard = self._units[t, :, :count, None]
        return either * self._blank[t, :count, None], (entered + unit) * heard

    def _backward(
        self, t: int, blank: Tensor, unit: Tensor, scale: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What paths up to frame ``t`` can still become, from those up to it, over ``scale``."""
        count = blank.shape[1]
        entered = unit * (self._units[t, :, :count] / scale)[:, :, None]
        onward = torch.bmm(entered.permute(2, 1, 0), self._next.transpose(1, 2))
        before = blank * (self._blank[t, :count] / scale)[:, None] + onward
        again = entered.diagonal(dim1=0, dim2=2).T[:, :, None] * self._same[:, None]
        return before, before - again + entered
