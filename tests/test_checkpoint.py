import stat

import pytest
import torch

from asr.checkpoint import BUNDLED, WEIGHTS, Checkpoint, find_model, load_model, save_model
from asr.config import EncoderConfig, ModelConfig
from asr.errors import AsrError
from asr.model import AcousticModel
from asr.tokenizer import CharacterTokenizer, PhoneTokenizer


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    tokenizer = CharacterTokenizer()
    config = ModelConfig(encoder=EncoderConfig(layers=1, hidden=16))
    model = AcousticModel(config, len(tokenizer))
    save_model(tmp_path / "model", Checkpoint(model, tokenizer, tokenizer), "# A card\n")
    return model, tmp_path / "model"


def test_a_saved_model_comes_back_to_half_precision(saved):
    model, folder = saved
    checkpoint = load_model(folder)
    assert checkpoint.model.config == model.config
    assert not checkpoint.model.training
    for name, tensor in checkpoint.model.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name].half().float())
    assert (folder / "README.md").read_text() == "# A card\n"


def test_the_units_of_an_intermediate_head_are_kept(tmp_path):
    config = ModelConfig(encoder=EncoderConfig(layers=2, hidden=16), intermediate_layer=1)
    characters, phones = CharacterTokenizer(), PhoneTokenizer()
    model = AcousticModel(config, len(characters), len(phones))
    save_model(tmp_path, Checkpoint(model, characters, phones), "# A card\n")
    checkpoint = load_model(tmp_path)
    assert checkpoint.tokenizer.units == characters.units
    assert checkpoint.intermediate_tokenizer.units == phones.units
    emissions = checkpoint.model(torch.randn(1, 50, 80), torch.tensor([50]))
    assert emissions.log_probs.shape[-1] == len(characters)
    assert emissions.intermediate.shape[-1] == len(phones)


def test_others_may_read_a_saved_model(saved):
    _, folder = saved
    for path in folder.iterdir():
        assert path.stat().st_mode & stat.S_IROTH, path


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / WEIGHTS).unlink(), "is missing"),
        (lambda folder: (folder / WEIGHTS).write_bytes(b""), "are damaged"),
        (lambda folder: truncate(folder / WEIGHTS), "are damaged"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer.json does not exist"),
        (lambda folder: (folder / "config.yaml").unlink(), "holds no config.yaml"),
        (lambda folder: (folder / "config.yaml").write_text("mel_bin: 3"), "did you mean mel_bins"),
        (lambda folder: (folder / "config.yaml").write_text("mel_bins: 40"), "do not fit"),
    ],
)
def test_damage_is_named(saved, damage, message):
    _, folder = saved
    damage(folder)
    with pytest.raises(AsrError, match=message) as caught:
        load_model(folder)
    assert str(folder) in str(caught.value)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def test_models_are_found_by_path_and_by_name(saved):
    _, folder = saved
    assert find_model(folder) == folder
    assert find_model().parent == BUNDLED
    assert find_model(find_model().name) == find_model()
    with pytest.raises(AsrError, match=f"there is no model nowhere.*{find_model().name}"):
        find_model("nowhere")


def test_the_bundled_model_is_small_and_says_what_it_is():
    folder = find_model()
    assert (folder / WEIGHTS).stat().st_size <= 20e6
    assert "train-clean-5" in (folder / "README.md").read_text()
