"""The denominator against a sum over all paths, one by one."""

import itertools
import math

import pytest
import torch

from asr.acoustic.network import Emissions
from asr.config.schema import TrainConfig
from asr.training.batch import Targets
from asr.training.ctc_loss import ctc
from asr.training.denominator import denominator, trigram
from asr.training.loss import training_loss

UNITS = 4
MODEL = trigram([[1, 2, 3], [2, 2, 1], [3]], UNITS)


def log_probs(*shape, spread=1.0):
    generator = torch.Generator().manual_seed(sum(shape))
    return (spread * torch.randn(*shape, generator=generator)).log_softmax(-1)


def log_likelihood(sequence):
    """ln P(units) by the model."""
    bordered = [0, 0, *sequence, 0]
    triples = zip(bordered, bordered[1:], bordered[2:], strict=False)
    return sum(math.log(float(MODEL[triple])) for triple in triples)


def units_of(path):
    return [unit for unit, _ in itertools.groupby(path) if unit]


def one_by_one(rows):
    """ln of the sum over all paths of P(path | audio) P(its units)."""
    total = 0.0
    for path in itertools.product(range(UNITS), repeat=len(rows)):
        emitted = math.prod(float(rows[t, unit].double().exp()) for t, unit in enumerate(path))
        total += emitted * math.exp(log_likelihood(units_of(path)))
    return math.log(total)


def test_a_trigram_has_witten_bell_smoothing():
    # Behind 2: once 3, once 2, once 1, three kinds; behind (2, 2): once 1, one kind. Of ten units
    # with borders three are 2, three are borders, two are 1 and two are 3: four kinds.
    unigram = [(3 + 4 / 4) / 14, (2 + 4 / 4) / 14, (3 + 4 / 4) / 14, (2 + 4 / 4) / 14]
    bigram = [(0 + 3 * unigram[0]) / 6, *((1 + 3 * p) / 6 for p in unigram[1:])]
    expected = [(count + bigram[unit]) / 2 for unit, count in enumerate((0, 1, 0, 0))]
    assert MODEL[2, 2].tolist() == pytest.approx(expected)
    assert MODEL[1, 3].tolist() == pytest.approx(MODEL[3, 3].tolist())  # neither was ever seen
    assert MODEL.sum(-1).flatten().tolist() == pytest.approx([1.0] * UNITS**2)


def test_it_is_the_sum_over_all_paths():
    rows, lengths = log_probs(3, 6, UNITS), torch.tensor([4, 6, 2])
    each = [one_by_one(row[:length]) for row, length in zip(rows, lengths.tolist(), strict=True)]
    assert float(denominator(rows, lengths, MODEL)) == pytest.approx(sum(each), abs=1e-4)


def test_its_gradient_is_that_of_the_sum():
    rows, lengths = log_probs(2, 5, UNITS).requires_grad_(), torch.tensor([3, 5])
    (found,) = torch.autograd.grad(denominator(rows, lengths, MODEL), rows)
    assert not found[0, 3:].any()
    # Each frame's posteriors: their sum is that of all paths, which every frame has one unit of.
    torch.testing.assert_close(found.sum(-1), torch.tensor([[1.0] * 3 + [0.0] * 2, [1.0] * 5]))
    step = 1e-2
    for row, frame, unit in ((0, 0, 0), (0, 2, 3), (1, 1, 2), (1, 4, 1), (1, 3, 0)):
        sums = []
        for sign in (-1, 1):
            moved = rows.detach().clone()
            moved[row, frame, unit] += sign * step
            sums.append(one_by_one(moved[row, : lengths[row]]))
        slope = (sums[1] - sums[0]) / (2 * step)
        assert float(found[row, frame, unit]) == pytest.approx(slope, abs=1e-4)


def test_neighbours_and_padding_change_nothing():
    rows, lengths = log_probs(3, 40, UNITS, spread=6.0), torch.tensor([12, 40, 25])
    apart = []
    for row, length in zip(rows, lengths, strict=True):
        alone = row[None, :length].clone().requires_grad_()
        total = denominator(alone, length[None], MODEL)
        apart.append((float(total.detach()), torch.autograd.grad(total, alone)[0][0]))
    rows.requires_grad_()
    total = denominator(rows, lengths, MODEL)
    (gradient,) = torch.autograd.grad(total, rows)
    assert float(total.detach()) == pytest.approx(sum(one for one, _ in apart), rel=1e-5)
    for row, length, (_, own) in zip(gradient, lengths, apart, strict=True):
        torch.testing.assert_close(row[:length], own, atol=1e-5, rtol=1e-4)
        assert not row[length:].any()


def test_a_thousand_sure_frames_neither_vanish_nor_overflow():
    path = torch.tensor([1, 0, 2, 0, 2, 3, 0, 0] * 125)
    rows = torch.full((1, 1000, UNITS), -60.0)
    rows[0, torch.arange(1000), path] = 0.0
    rows = rows.log_softmax(-1)
    total = float(denominator(rows, torch.tensor([1000]), MODEL))
    assert total == pytest.approx(log_likelihood(units_of(path.tolist())), rel=1e-4)


def test_the_loss_subtracts_it_in_the_head_with_a_unit_model():
    main, middle = log_probs(1, 6, 5), log_probs(1, 6, UNITS)
    emissions = Emissions(main, torch.tensor([6]), middle)
    targets = Targets.of([[4, 2]]), Targets.of([[1, 3, 2]])
    config = TrainConfig(intermediate_weight=0.25, denominator_weight=0.5)
    loss, reported = training_loss(
        emissions, targets, [2, 3], config, models={"intermediate": MODEL}
    )
    lengths = emissions.lengths
    characters, phones = (
        float(ctc(rows, lengths, own.units, own.lengths)) / int(own.lengths)
        for rows, own in zip((main, middle), targets, strict=True)
    )
    assert float(reported) == pytest.approx(characters)
    anything = float(denominator(middle, lengths, MODEL)) / 3
    expected = 0.75 * characters + 0.25 * (phones + 0.5 * anything)
    assert float(loss) == pytest.approx(expected, rel=1e-5)
