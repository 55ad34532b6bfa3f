"""The denominator of CTC-CRF: the probability of all unit sequences given the audio.

CTC normalises each frame on its own, so a model trained by it also learns an implicit language
model, which a beam search with an external one counts twice. CTC-CRF subtracts the log of the sum
over all unit sequences, weighted by a unit language model: the transcript must be likelier than
other sequences that this model finds likely (Xiang and Ou, arXiv 1911.08747, eq. 4; lattice-free
MMI: Povey et al. 2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from asr.tokenizers.tokenizer import BLANK

# The blank's index: a language model has no blank.
_BORDER = BLANK

MOST_UNITS = 160  # memory grows with their cube in the model, with their square in every frame


def trigram(targets: Sequence[Sequence[int]], units: int) -> Tensor:
    """A trigram model of units with Witten-Bell smoothing (1991, method C).

    Args:
        targets: sequences of units from 1 to ``units - 1``.
        units: number of units, the blank included.

    Returns:
        P(unit | the two before), shape (units, units, units), indexed in order; index 0 is the
        border at either end of a sequence.
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
    """Forward-backward over unit histories; computes the gradient together with the sum.

    A state is the last two units of a path, and whether it ends in a blank or in the last unit.
    Probabilities have the shape (last unit, utterance, unit before) and are normalised in each
    frame. Utterances are sorted by length, longest first, so those that go on come first.
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
        going: number of utterances that have each frame.
        model: P(unit | the two before).
    """

    def __init__(self, emitted: Tensor, going: Sequence[int], model: Tensor) -> None:
        self._blank = emitted[:, BLANK].clone()
        self._units = emitted.index_fill(1, torch.tensor([BLANK], device=emitted.device), 0.0)
        self._going = going
        self._next = model.transpose(0, 1).contiguous()  # by last unit, unit before, next unit
        self._same = self._next.diagonal(dim1=0, dim2=2).T.contiguous()  # P(last unit again)
        self._ends = self._next[:, None, :, _BORDER]

    def forward_backward(self) -> tuple[float, Tensor]:
        """The sum over all utterances, and the posteriors, shape (frames, units, utterances)."""
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
        """Forward probabilities of frame ``t`` from those of the frame before."""
        count = blank.shape[1]
        either = blank + unit
        entered = torch.bmm(either, self._next).permute(2, 1, 0)
        again = (unit * self._same[:, None]).sum(2)  # repeated units need a blank between
        entered.diagonal(dim1=0, dim2=2).sub_(again.T)
        emitted = self._units[t, :, :count, None]
        return either * self._blank[t, :count, None], (entered + unit) * emitted

    def _backward(
        self, t: int, blank: Tensor, unit: Tensor, scale: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Backward probabilities of the frame before ``t`` from those of ``t``, over ``scale``."""
        count = blank.shape[1]
        entered = unit * (self._units[t, :, :count] / scale)[:, :, None]
        onward = torch.bmm(entered.permute(2, 1, 0), self._next.transpose(1, 2))
        before = blank * (self._blank[t, :count] / scale)[:, None] + onward
        again = entered.diagonal(dim1=0, dim2=2).T[:, :, None] * self._same[:, None]
        return before, before - again + entered
