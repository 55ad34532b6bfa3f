"""The training state: what it takes over from the file that it was saved to."""

import resource

import pytest
import torch

from asr.acoustic.network import AcousticModel
from asr.config.loading import validate
from asr.config.schema import Recipe
from asr.errors import AsrError
from asr.tokenizers.tokenizer import CharacterTokenizer
from asr.training.learner import Learner
from asr.training.state import Progress, TrainingState, read_record

RECIPE = {
    "name": "small",
    "data": {"train": ["train"], "dev": ["dev"]},
    "model": {"encoder": {"layers": 1, "hidden": 8}},
    "train": {"peak_rate": 1e-2, "weight_decay": 0.0},
}


def fresh(folder, data="these"):
    torch.manual_seed(1)
    recipe = validate(Recipe, {**RECIPE, "output": str(folder)}, "here")
    tokenizer = CharacterTokenizer("ABCD")
    model = AcousticModel(recipe.model, len(tokenizer))
    origin = {"recipe": recipe.model_dump(mode="json"), "data": data}
    learner = Learner.create(model, recipe.train, "float32", torch.device("cpu"))
    return TrainingState(folder / "state.pt", origin, learner, Progress())


def step(state, seed):
    random = torch.Generator().manual_seed(seed)
    for parameter in state.learner.model.parameters():
        parameter.grad = torch.empty_like(parameter)
        parameter.grad.copy_(torch.randn(parameter.shape, generator=random))
    for optimizer in state.learner.optimizers:
        optimizer.step()


def test_moments_of_another_memory_layout_are_converted(tmp_path):
    state = fresh(tmp_path)
    step(state, 1)
    state.save()
    step(state, 2)
    record = read_record(tmp_path / "state.pt")
    turned = 0
    for moments in record["optimizers"][0]["state"].values():
        for name, moment in moments.items():
            if moment.ndim == 4:  # as if saved before convolutions lay pixel by pixel
                turned += not moment.is_contiguous()
                moments[name] = moment.contiguous()
    assert turned
    resumed = fresh(tmp_path)
    resumed.restore(record)
    step(resumed, 2)
    for ours, theirs in zip(
        resumed.learner.model.parameters(), state.learner.model.parameters(), strict=True
    ):
        assert torch.equal(ours, theirs)


def test_a_position_and_the_random_state_are_taken_over(tmp_path):
    state = fresh(tmp_path)
    state.progress.step, state.progress.bad_steps = 7, 2
    state.progress.history.append({"dev_wer": 0.5})
    state.save()
    expected = torch.rand(3)
    resumed = fresh(tmp_path)
    resumed.restore(read_record(tmp_path / "state.pt"))
    assert (resumed.progress.step, resumed.progress.bad_steps) == (7, 2)
    assert resumed.progress.history == [{"dev_wer": 0.5}]
    assert torch.equal(torch.rand(3), expected)


def test_a_state_with_other_groups_of_weights_is_refused(tmp_path):
    fresh(tmp_path).save()
    record = read_record(tmp_path / "state.pt")
    decayed, others = record["optimizers"][0]["param_groups"]
    decayed["params"].append(others["params"].pop())
    sentence = rf"run in {tmp_path} was started by an earlier version .* with another output"
    with pytest.raises(AsrError, match=sentence):
        fresh(tmp_path).restore(record)


def test_a_state_from_before_the_choice_of_optimizers_is_taken_over(tmp_path):
    state = fresh(tmp_path)
    step(state, 1)
    state.save()
    record = read_record(tmp_path / "state.pt")
    record["optimizer"] = record.pop("optimizers")[0]
    del record["progress"]["smoothed_loss"]
    resumed = fresh(tmp_path)
    resumed.restore(record)
    for each in (state, resumed):
        step(each, 2)
    for ours, theirs in zip(
        resumed.learner.model.parameters(), state.learner.model.parameters(), strict=True
    ):
        assert torch.equal(ours, theirs)


def test_a_full_disk_is_one_sentence_and_the_state_before_stays(tmp_path):
    state = fresh(tmp_path)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = 1000  # bytes of a file; beyond it a write fails, as on a full disk

    def save():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limit[1]))
        try:
            state.save()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)

    with pytest.raises(AsrError, match=r"state\.pt can't be written: .*; no state has been saved"):
        save()
    assert not list(tmp_path.iterdir())
    state.progress.step = 3
    state.save()
    before = state.path.read_bytes()
    state.progress.step = 4
    with pytest.raises(AsrError, match=r"can't be written: File too large; the state of step 3"):
        save()
    assert state.path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [state.path]
