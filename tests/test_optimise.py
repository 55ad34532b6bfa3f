import pytest
import torch

from asr.config import ModelConfig
from asr.model import AcousticModel
from asr.optimise import make_optimizers, one_cycle


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

    weight = dict(model.named_parameters())["encoder.layers.1.backwards.layer.weight_hh_l0"]
    before = weight.detach().clone()
    # nearly all of it along one direction, as gradients of recurrent layers often are
    weight.grad = 0.1 * torch.randn(64, 16) + torch.outer(torch.randn(64), torch.randn(16))
    muon.step()
    lengths = torch.linalg.svdvals(before - weight.detach())
    assert lengths[-1] > 0.4 * lengths[0]
    assert torch.linalg.svdvals(weight.grad)[1] < 0.1 * torch.linalg.svdvals(weight.grad)[0]
