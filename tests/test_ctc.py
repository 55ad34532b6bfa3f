"""The CTC loss against torch's in float64."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from asr.training.ctc_loss import ctc


def batch(units, targets, frames, spread=1.0, seed=1):
    """Logits, shape (batch, frames, units), and what the loss takes beside them."""
    generator = torch.Generator().manual_seed(seed)
    logits = spread * torch.randn(len(targets), max(frames), units, generator=generator)
    flat = torch.tensor([unit for target in targets for unit in target], dtype=torch.long)
    return logits, torch.tensor(frames), flat, torch.tensor([len(t) for t in targets])


def loss_and_gradient(loss, logits, *rest):
    logits = logits.clone().requires_grad_()
    value = loss(logits.log_softmax(-1), *rest)
    value.backward()
    return float(value.detach()), logits.grad


def by_torch(log_probs, lengths, units, unit_lengths):
    return functional.ctc_loss(
        log_probs.transpose(0, 1),
        units,
        lengths,
        unit_lengths,
        reduction="sum",
        zero_infinity=True,
    )


def targets_of(lengths, units, seed=1):
    random = np.random.default_rng(seed)
    return [random.integers(1, units, length).tolist() for length in lengths]


@pytest.mark.parametrize("spread", [0.1, 1.0, 5.0])
@pytest.mark.parametrize(
    ("targets", "frames"),
    [
        (targets_of((40, 25, 1), 30), [120, 61, 5]),  # as in speech
        ([[3, 3, 3, 7, 7]], [8]),  # blanks between like units fill all frames
        ([[1, 2, 3, 4]], [4]),  # no room for a blank
        ([[], [5]], [6, 1]),
        (targets_of((3, 3), 4), [300, 300]),
    ],
)
def test_loss_and_gradient_are_those_of_torch_in_float64(targets, frames, spread):
    logits, *rest = batch(30, targets, frames, spread)
    loss, gradient = loss_and_gradient(ctc, logits, *rest)
    expected, expected_gradient = loss_and_gradient(by_torch, logits.double(), *rest)
    assert loss == pytest.approx(expected, rel=1e-6, abs=1e-6)
    torch.testing.assert_close(gradient.double(), expected_gradient, atol=2e-6, rtol=0)


def test_padding_and_neighbours_change_nothing_to_the_bit():
    targets, frames = targets_of((12, 30, 7), 20), [50, 80, 33]
    logits, *_ = batch(20, targets, frames)
    _, together = loss_and_gradient(ctc, *batch(20, targets, frames))
    for row, (target, count) in enumerate(zip(targets, frames, strict=True)):
        _, *rest = batch(20, [target], [count])
        _, alone = loss_and_gradient(ctc, logits[row : row + 1, :count], *rest)
        assert torch.equal(alone[0], together[row, :count])
        assert not together[row, count:].any()


def test_a_target_too_long_for_its_frames_adds_nothing():
    logits, *rest = batch(6, [[2, 2, 2], [1, 4]], [4, 4])
    loss, gradient = loss_and_gradient(ctc, logits, *rest)
    alone, _ = loss_and_gradient(ctc, logits[1:], *batch(6, [[1, 4]], [4])[1:])
    assert loss == pytest.approx(alone)
    assert not gradient[0].any()
    assert gradient[1].any()


def test_an_utterance_without_frames_is_as_torch_has_it():
    logits, *rest = batch(6, [[2], [], [1]], [0, 0, 3])
    loss, gradient = loss_and_gradient(ctc, logits, *rest)
    expected, _ = loss_and_gradient(by_torch, logits.double(), *rest)
    assert loss == pytest.approx(expected)
    assert not gradient[:2].any()


def test_alternatives_too_far_apart_for_float64_are_not_lost():
    """In one direction what matters lies hundreds of orders of magnitude behind the best path."""
    targets = targets_of((150, 140), 30)
    logits, *rest = batch(30, targets, [300, 300], spread=40.0)
    loss, gradient = loss_and_gradient(ctc, logits, *rest)
    expected, expected_gradient = loss_and_gradient(by_torch, logits.double(), *rest)
    assert loss == pytest.approx(expected, rel=1e-6)
    # as far from float64 as torch is in float32
    torch.testing.assert_close(gradient.double(), expected_gradient, atol=0.02, rtol=0)


def test_nan_gives_a_nan_loss():
    logits, *rest = batch(5, [[1, 2]], [6])
    logits[0, 3] = math.nan
    assert math.isnan(loss_and_gradient(ctc, logits, *rest)[0])
