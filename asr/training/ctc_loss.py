"""The CTC loss and its gradient, for training on a CPU.

Forward and backward variables are float64 ratios to the probability of the best path: the inner
loops need no logarithms and exponentials, which take torch most of its time, and sums are not
rounded. A ratio that underflows (below 1e-308) in one direction matters only if it exceeds 1e280 in
the other; then, and where a target is too long for its frames, torch computes the loss.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from asr.runtime.jit import compiled, inner
from asr.tokenizers.tokenizer import BLANK

_MOST = 1e280


def ctc(log_probs: Tensor, lengths: Tensor, units: Tensor, unit_lengths: Tensor) -> Tensor:
    """The negative log-probability of all targets (Graves et al. 2006, eq. 8 and 15).

    Args:
        log_probs: shape (batch, frames, units), the blank first.
        lengths: frames of each utterance, shape (batch,).
        units: of all targets, concatenated.
        unit_lengths: units of each target, shape (batch,).

    Returns:
        The sum over the batch; an utterance too short for its target adds nothing.
    """
    if log_probs.device.type != "cpu":
        return _by_torch(log_probs, lengths, units, unit_lengths)
    total: Tensor = _Ctc.apply(log_probs, lengths, units, unit_lengths)  # type: ignore[no-untyped-call]
    return total


class _Ctc(torch.autograd.Function):
    """Computes the gradient together with the loss."""

    @staticmethod
    def forward(
        ctx: Any, log_probs: Tensor, lengths: Tensor, units: Tensor, unit_lengths: Tensor
    ) -> Tensor:
        rows = log_probs.detach().float().contiguous().numpy()
        gradient = np.zeros_like(rows)
        losses = np.zeros(len(rows))
        ends = torch.cumsum(unit_lengths, 0).numpy()
        _losses(rows, lengths.numpy(), units.numpy(), ends, losses, gradient)
        for row in np.flatnonzero(np.isnan(losses)):
            with torch.enable_grad():
                given = log_probs[row : row + 1].detach().float().requires_grad_()
                target = units[ends[row] - int(unit_lengths[row]) : ends[row]]
                loss = _by_torch(given, lengths[row, None], target, unit_lengths[row, None])
                gradient[row] = torch.autograd.grad(loss, given)[0].numpy()
            losses[row] = float(loss.detach())
        ctx.save_for_backward(torch.from_numpy(gradient))
        return log_probs.new_tensor(losses.sum())

    @staticmethod
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return gradient * scale, None, None, None


def _by_torch(log_probs: Tensor, lengths: Tensor, units: Tensor, unit_lengths: Tensor) -> Tensor:
    return functional.ctc_loss(
        log_probs.transpose(0, 1),
        units,
        lengths,
        unit_lengths,
        blank=BLANK,
        reduction="sum",
        zero_infinity=True,
    )


@compiled
def _losses(
    log_probs: NDArray[np.float32],
    lengths: NDArray[np.int64],
    units: NDArray[np.int64],
    ends: NDArray[np.int64],
    losses: NDArray[np.float64],
    gradient: NDArray[np.float32],
) -> None:
    for row in range(len(log_probs)):
        start = ends[row - 1] if row else 0
        frames = lengths[row]
        losses[row] = _loss(
            log_probs[row, :frames], units[start : ends[row]], gradient[row, :frames]
        )


@inner
def _loss(
    log_probs: NDArray[np.float32], target: NDArray[np.int64], gradient: NDArray[np.float32]
) -> float:
    """The loss of one utterance, nan where torch has to compute it; fills in its ``gradient``.

    State 2n + 1 is unit n of the target; even states are the blanks around it.
    """
    frames, states = len(log_probs), 2 * len(target) + 1
    if not frames:
        return np.nan
    labels = np.full(states, BLANK)
    labels[1::2] = target
    skips = np.zeros(states + 2)  # 1.0 where the blank before is optional
    for s in range(3, states, 2):
        skips[s] = labels[s] != labels[s - 2]
    path, best = _best_path(log_probs, labels, skips)
    if not best > -np.inf:
        return np.nan
    ratios = np.empty(log_probs.shape)  # of probabilities to that of the best path
    for t in range(frames):
        at_best = log_probs[t, labels[path[t]]]
        for unit in range(log_probs.shape[1]):
            ratios[t, unit] = math.exp(log_probs[t, unit] - at_best)

    # Two unreachable states in front make the left end like any other place.
    alpha = np.zeros((frames, states + 2))
    alpha[0, 2:4] = 1.0
    for t in range(frames):
        now = alpha[t, 2:]
        low, high = _band(t, frames, states)
        if t:
            before = alpha[t - 1]
            for s in range(low, high):
                now[s] = before[s + 2] + before[s + 1] + skips[s] * before[s]
        most = 0.0
        for s in range(low, high):
            now[s] *= ratios[t, labels[s]]
            most = max(most, now[s])
        if not most < _MOST:
            return np.nan
    total = alpha[frames - 1, states:].sum()

    beta, after = np.zeros(states + 2), np.zeros(states + 2)  # two unreachable states behind
    beta[max(0, states - 2) : states] = 1.0
    for t in range(frames - 1, -1, -1):
        low, high = _band(t, frames, states)
        if t < frames - 1:
            most = 0.0
            for s in range(low, high):
                beta[s] = after[s] + after[s + 1] + skips[s + 2] * after[s + 2]
                most = max(most, beta[s])
            if not most < _MOST:
                return np.nan
        after[high:] = 0.0
        for s in range(low, high):
            gradient[t, labels[s]] -= alpha[t, s + 2] * beta[s] / total
            after[s] = beta[s] * ratios[t, labels[s]]
    loss: float = -best - math.log(total)
    return loss


@inner
def _best_path(
    log_probs: NDArray[np.float32], labels: NDArray[np.int64], skips: NDArray[np.float64]
) -> tuple[NDArray[np.int64], float]:
    """The states of the best alignment and its log-probability, -inf if there is none."""
    frames, states = len(log_probs), len(labels)
    barred = np.where(skips > 0.0, 0.0, -np.inf)
    scores = np.full((frames, states + 2), -np.inf)
    scores[0, 2:4] = 0.0
    for t in range(frames):
        now = scores[t, 2:]
        low, high = _band(t, frames, states)
        if t:
            before = scores[t - 1]
            for s in range(low, high):
                now[s] = max(max(before[s + 2], before[s + 1]), before[s] + barred[s])
        for s in range(low, high):
            now[s] += log_probs[t, labels[s]]
    path = np.empty(frames, np.int64)
    state = states - 1
    if states > 1 and scores[-1, state + 1] > scores[-1, state + 2]:
        state -= 1
    best = scores[-1, state + 2]
    for t in range(frames - 1, -1, -1):
        path[t] = state
        if t:
            before = scores[t - 1]
            step = 1 if before[state + 1] > before[state + 2] else 0
            if before[state] + barred[state] > before[state + 2 - step]:
                step = 2
            state -= step
    return path, best


@inner
def _band(t: int, frames: int, states: int) -> tuple[int, int]:
    """The range of states that are reachable by frame ``t`` and from which the end is reachable."""
    return max(0, states - 2 * (frames - t)), min(states, 2 * (t + 1))
