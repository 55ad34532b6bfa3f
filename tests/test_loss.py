import math
from dataclasses import replace

import pytest
import torch

from asr.acoustic.network import Emissions
from asr.config.schema import TrainConfig
from asr.training.batch import Targets
from asr.training.ctc_loss import ctc
from asr.training.loss import consistency_loss, training_loss


def log_probs(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape))).log_softmax(-1)


def test_ctc_of_one_unit_is_the_sum_over_its_alignments():
    rows = log_probs(1, 3, 4)
    p = rows[0].exp().double()
    # Three frames, the unit 2 in one run: six places where the run begins and ends.
    runs = [(a, b) for a in range(3) for b in range(a + 1, 4)]
    total = sum(math.prod(float(p[t, 2 if a <= t < b else 0]) for t in range(3)) for a, b in runs)
    targets = Targets.of([[2]])
    loss, _ = training_loss(Emissions(rows, torch.tensor([3])), [targets], [1], TrainConfig())
    assert float(loss) == pytest.approx(-math.log(total), abs=1e-5)


def test_consistency_is_the_divergence_within_the_utterances():
    rows, others = log_probs(2, 5, 6), log_probs(2, 5, 6).flip(1)
    lengths = torch.tensor([5, 2])
    expected = 0.0
    for row, length in enumerate(lengths.tolist()):
        p, q = others[row, :length], rows[row, :length]
        expected += float((p.exp() * (p - q)).sum())
    assert float(consistency_loss(rows, others, lengths)) == pytest.approx(expected, rel=1e-5)
    assert float(consistency_loss(rows, rows, lengths)) == pytest.approx(0.0, abs=1e-6)


def test_no_gradient_flows_into_the_teacher():
    logits = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(1), requires_grad=True)
    rows = logits.log_softmax(-1)
    consistency_loss(rows, rows.flip(0), torch.tensor([3, 3])).backward()
    # d/dz of D(p || softmax(z)) with p fixed is softmax(z) - p.
    p, q = rows.detach().exp()
    torch.testing.assert_close(logits.grad, torch.stack([p - q, q - p]))


def test_the_heads_are_weighted_and_have_their_own_targets():
    emissions = Emissions(log_probs(2, 8, 5), torch.tensor([8, 8]), log_probs(2, 8, 7))
    teacher = emissions.swap_halves()
    targets = Targets.of([[1, 2], [1, 2]]), Targets.of([[6, 5, 3], [6, 5, 3]])
    config = TrainConfig(intermediate_weight=0.25, consistency_weight=0.5)
    loss, main = training_loss(emissions, targets, [8, 10], config, teacher)
    expected = {}
    for head, own, units in zip(("main", "intermediate"), targets, (8, 10), strict=True):
        rows = emissions.head(head)
        expected[head] = ctc(rows, emissions.lengths, own.units, own.lengths) / units
        apart = consistency_loss(rows, rows.flip(0), emissions.lengths) / units
        expected[f"{head}, both"] = expected[head] + 0.5 * apart
    assert float(main) == pytest.approx(float(expected["main"]))
    both = 0.75 * expected["main, both"] + 0.25 * expected["intermediate, both"]
    assert float(loss) == pytest.approx(float(both), rel=1e-6)
    alone = replace(emissions, intermediate=None)
    found = float(training_loss(alone, targets, [8, 10], config)[0])
    assert found == pytest.approx(float(main))
