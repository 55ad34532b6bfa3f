"""The training state: what it takes over from the file that it was saved to."""

import pytest
import torch
from torch.amp.grad_scaler import GradScaler
from torch.optim.swa_utils import AveragedModel

from asr.acoustic.network import AcousticModel
from asr.config.loading import validate
from asr.config.schema import Recipe
from asr.errors import AsrError
from asr.tokenizers.tokenizer import CharacterTokenizer
from asr.training.optimizers import make_optimizers
from asr.training.state import Progress, TrainingState, read_record

RECIPE = {
    "name": "small",
    "data": {"train": ["train"], "dev": ["dev"]},
    "model": {"encoder": {"layers": 1, "hidden": 8}},
}


def fresh(data="these"):
    torch.manual_seed(1)
    recipe = validate(Recipe, RECIPE, "here")
    tokenizer = CharacterTokenizer("ABCD")
    model = AcousticModel(recipe.model, len(tokenizer))
    return TrainingState(
        recipe,
        "float32",
        (tokenizer, tokenizer),
        data,
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


def test_only_the_data_that_it_was_trained_on_go_with_a_state(tmp_path):
    fresh().save(tmp_path / "state.pt")
    record = read_record(tmp_path / "state.pt")
    assert record["tokenizers"][0] == {"kind": "characters", "characters": "ABCD"}
    fresh().restore(record)
    with pytest.raises(AsrError, match=r"training data of the run in runs/small have changed"):
        fresh("others").restore(record)
    for key in ("tokenizers", "data"):
        del record[key]
    fresh("others").restore(record)  # of an earlier version, which doesn't say


def test_a_state_whose_optimizer_went_about_it_otherwise_is_refused(tmp_path):
    fresh().save(tmp_path / "state.pt")
    record = read_record(tmp_path / "state.pt")
    decayed, others = record["optimizers"][0]["param_groups"]
    decayed["params"].append(others["params"].pop())
    with pytest.raises(AsrError, match=r"earlier version .* or start anew with another output"):
        fresh().restore(record)
