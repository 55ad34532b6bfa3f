import pytest
import torch

from asr.acoustic.network import AcousticModel
from asr.config.schema import ModelConfig
from asr.training.muon import Muon, orthogonal
from asr.training.optimizers import make_optimizers, one_cycle


def test_the_rate_rises_to_its_peak_and_falls_to_zero():
    rates = [one_cycle(1.0, 0.1, done / 100) for done in range(101)]
    assert max(rates) == rates[10] == 1.0
    assert rates[:11] == sorted(rates[:11])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[55] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0.0)


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_only_matrices_are_decayed(name):
    encoder = {"layers": 2, "hidden": 16, "cell": "peephole", "attention_window": 3}
    model = AcousticModel(ModelConfig(encoder=encoder), 29, 29)
    kept = {
        id(p)
        for optimizer in make_optimizers(name, model, 0.01, 0.1)
        for group in optimizer.param_groups
        for p in group["params"]
        if group["weight_decay"] == 0.0
    }
    names = {key for key, p in model.named_parameters() if p.ndim > 1 and id(p) in kept}
    assert {key.rsplit(".", 1)[1] for key in names} == {"bias", "p"}
    assert len(names) == 5  # peepholes of two layers in two directions, and one attention between
    assert all(id(p) in kept for p in model.parameters() if p.ndim == 1)


def test_muon_has_the_hidden_matrices_and_adamw_the_rest():
    torch.manual_seed(0)
    model = AcousticModel(ModelConfig(encoder={"layers": 2, "hidden": 16}), 29, 29)
    muon, adamw = make_optimizers("muon", model, 0.01, 0.0)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    owned = [
        [names[id(p)] for group in optimizer.param_groups for p in group["params"]]
        for optimizer in (muon, adamw)
    ]
    assert sorted(owned[0] + owned[1]) == sorted(names.values())
    assert "encoder.layers.1.backwards.layer.weight_hh_l0" in owned[0]
    assert {"head.linear.weight", "front_end.convolutions.0.weight"} <= set(owned[1])

    weight = dict(model.named_parameters())["encoder.layers.1.backwards.layer.weight_ih_l0"]
    before = weight.detach().clone()
    # nearly all of it along one direction, as gradients of recurrent layers often are; and the
    # forget gate's far smaller than the others'
    weight.grad = 0.1 * torch.randn(64, 32) + torch.outer(torch.randn(64), torch.randn(32))
    weight.grad[16:32] *= 1e-3
    muon.step()
    steps = torch.linalg.svdvals((before - weight.detach()).unflatten(0, (4, 16)))
    gradients = torch.linalg.svdvals(weight.grad.unflatten(0, (4, 16)))
    assert (gradients[:, 1] < 0.1 * gradients[:, 0]).all()
    assert (steps[:, -1] > 0.4 * steps[:, 0]).all()
    assert steps.max() < 2 * steps[:, 0].min()


@pytest.mark.parametrize("shape", [(3, 24, 40), (3, 40, 24)])
def test_singular_values_are_brought_near_one(shape):
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    u, _, v = torch.linalg.svd(matrices, full_matrices=False)
    left = u.mT @ orthogonal(matrices, torch.float32) @ v.mT
    values = left.diagonal(dim1=1, dim2=2)
    assert values.min() > 0.6
    assert values.max() < 1.3
    torch.testing.assert_close(left, torch.diag_embed(values), atol=1e-4, rtol=0)


def test_muons_steps_are_as_long_as_those_of_adamw():
    weight = torch.nn.Parameter(torch.zeros(64, 32))
    weight.grad = torch.randn(64, 32, generator=torch.Generator().manual_seed(1))
    Muon({weight: 4}, rate=0.01, weight_decay=0.0).step()
    assert float(weight.detach().square().mean().sqrt()) == pytest.approx(0.2 * 0.01, rel=0.3)
