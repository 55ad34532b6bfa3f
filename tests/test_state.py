"""The training state: what it takes over from the file that it was saved to."""

import torch
from torch.amp.grad_scaler import GradScaler
from torch.optim.swa_utils import AveragedModel

from asr.config import Recipe, validate
from asr.model import AcousticModel
from asr.optimise import make_optimizers
from asr.state import Progress, TrainingState, read_record

RECIPE = {
    "name": "small",
    "data": {"train": ["train"], "dev": ["dev"]},
    "model": {"encoder": {"layers": 1, "hidden": 8}},
}


def fresh():
    torch.manual_seed(1)
    recipe = validate(Recipe, RECIPE, "here")
    model = AcousticModel(recipe.model, 5)
    return TrainingState(
        recipe,
        "float32",
        model,
        AveragedModel(model),
        make_optimizers("adamw", model, 1e-2, 0.0),
        GradScaler("cpu", enabled=False),
        Progress(),
    )


def step(state, seed):
    random = torch.Generator().manual_seed(seed)
    for parameter in state.model.parameters():
        parameter.grad = torch.empty_like(parameter)
        parameter.grad.copy_(torch.randn(parameter.shape, generator=random))
    for optimizer in state.optimizers:
        optimizer.step()


def test_moments_that_lay_otherwise_in_memory_go_on_as_those_of_the_same_weights(tmp_path):
    state = fresh()
    step(state, 1)
    state.save(tmp_path / "state.pt")
    step(state, 2)
    record = read_record(tmp_path / "state.pt")
    turned = 0
    for moments in record["optimizers"][0]["state"].values():
        for name, moment in moments.items():
            if moment.ndim == 4:  # as if saved before convolutions lay pixel by pixel
                turned += not moment.is_contiguous()
                moments[name] = moment.contiguous()
    assert turned
    resumed = fresh()
    resumed.restore(record)
    step(resumed, 2)
    for ours, theirs in zip(resumed.model.parameters(), state.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)
