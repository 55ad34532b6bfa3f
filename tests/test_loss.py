import math
from dataclasses import replace

import pytest
import torch

from asr.batch import Batch, Masks, Targets
from asr.config import TrainConfig
from asr.loss import consistency_loss, ctc_loss, training_loss
from asr.model import Emissions


def log_probs(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape))).log_softmax(-1)


def test_ctc_of_one_unit_is_the_sum_over_its_alignments():
    rows = log_probs(1, 3, 4)
    p = rows[0].exp().double()
    # Three frames, the unit 2 in one run: six places where the run begins and ends.
    runs = [(a, b) for a in range(3) for b in range(a + 1, 4)]
    total = sum(math.prod(float(p[t, 2 if a <= t < b else 0]) for t in range(3)) for a, b in runs)
    loss = ctc_loss(rows, torch.tensor([3]), Targets.of([[2]]))
    assert float(loss) == pytest.approx(-math.log(total), abs=1e-5)


def test_consistency_is_the_symmetric_divergence_within_the_utterances():
    rows = log_probs(4, 5, 6)
    lengths = torch.tensor([5, 2, 5, 2])
    expected = 0.0
    for one, other, length in ((0, 2, 5), (1, 3, 2)):
        for a, b in ((one, other), (other, one)):
            p, q = rows[a, :length], rows[b, :length]
            expected += float((p.exp() * (p - q)).sum())
    assert float(consistency_loss(rows, lengths)) == pytest.approx(expected, rel=1e-5)
    same = torch.cat([rows[:2], rows[:2]])
    assert float(consistency_loss(same, lengths)) == pytest.approx(0.0, abs=1e-6)


def test_each_view_learns_from_the_other_as_it_is():
    logits = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(1), requires_grad=True)
    rows = logits.log_softmax(-1)
    consistency_loss(rows, torch.tensor([3, 3])).backward()
    # d/dz of D(p || softmax(z)) with p fixed is softmax(z) - p.
    p, q = rows.detach().exp()
    torch.testing.assert_close(logits.grad, torch.stack([p - q, q - p]))


def test_the_heads_are_weighted_and_have_their_own_targets():
    emissions = Emissions(log_probs(2, 8, 5), torch.tensor([8, 8]), log_probs(2, 8, 7))
    targets, other = Targets.of([[1, 2], [1, 2]]), Targets.of([[6, 5, 3], [6, 5, 3]])
    nothing = Masks(torch.empty(0), torch.empty(0))
    batch = Batch(torch.empty(0), (), (), nothing, targets, other, 1.0, views=2)
    config = TrainConfig(intermediate_weight=0.25, consistency_weight=0.5)
    main = ctc_loss(emissions.log_probs, emissions.lengths, targets)
    middle = ctc_loss(emissions.intermediate, emissions.lengths, other)
    apart = consistency_loss(emissions.log_probs, emissions.lengths) / 4
    apart_middle = consistency_loss(emissions.intermediate, emissions.lengths) / 6
    loss, ctc = training_loss(emissions, batch, config)
    assert float(ctc) == pytest.approx(float(main))
    expected = 0.75 * (main + 0.5 * apart) + 0.25 * (middle + 0.5 * apart_middle)
    assert float(loss) == pytest.approx(float(expected), rel=1e-6)
    alone = replace(emissions, intermediate=None)
    for unlike in (TrainConfig(), config):  # without the weight, and without a second view
        single = replace(batch, views=1) if unlike is config else batch
        assert float(training_loss(alone, single, unlike)[0]) == pytest.approx(float(main))
