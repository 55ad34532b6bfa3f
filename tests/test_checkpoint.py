import shutil
import stat
import subprocess

import pytest
import torch
from safetensors.torch import load_file, save_file

from asr.acoustic.checkpoint import Checkpoint, load_model, save_model
from asr.acoustic.folder import (
    BUNDLED,
    CHECKSUMS,
    WEIGHTS,
    find_model,
    read_weights,
    write_checksums,
)
from asr.acoustic.network import AcousticModel
from asr.config.schema import EncoderConfig, ModelConfig
from asr.errors import AsrError
from asr.tokenizers.tokenizer import CharacterTokenizer, PhoneTokenizer


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


def test_no_units_of_an_earlier_model_are_left(saved):
    _, folder = saved
    characters = CharacterTokenizer()
    config = ModelConfig(encoder=EncoderConfig(layers=1, hidden=16), intermediate_layer=1)
    two_heads = AcousticModel(config, len(characters))
    save_model(folder, Checkpoint(two_heads, characters, PhoneTokenizer()), "")
    save_model(folder, Checkpoint(two_heads, characters, characters), "")
    assert load_model(folder).intermediate_tokenizer.kind == "characters"


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
        (lambda folder: store_as(folder, torch.bfloat16), "another kind than float16 or float32"),
        (lambda folder: store_as(folder, torch.int8), "another kind than float16 or float32"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer.json does not exist"),
        (lambda folder: (folder / "config.yaml").unlink(), "holds no config.yaml"),
        (lambda folder: (folder / "config.yaml").write_text("mel_bin: 3"), "did you mean mel_bins"),
        (lambda folder: (folder / "config.yaml").write_text("mel_bins: 40"), "do not fit"),
    ],
)
def test_damage_is_named_without_checksums_too(saved, damage, message):
    _, folder = saved
    (folder / CHECKSUMS).unlink()
    load_model(folder)
    damage(folder)
    with pytest.raises(AsrError, match=message) as caught:
        load_model(folder)
    assert str(folder) in str(caught.value)


def store_as(folder, kind):
    weights = load_file(folder / WEIGHTS)
    save_file({name: tensor.to(kind) for name, tensor in weights.items()}, folder / WEIGHTS)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip(path, place):
    """One bit of a file, ``place`` of its length from the beginning."""
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 1))] ^= 0x10
    path.write_bytes(data)


@pytest.mark.parametrize("name", [WEIGHTS, "tokenizer.json", "config.yaml"])
@pytest.mark.parametrize("place", [0.0, 0.5, 0.95, 1.0])
def test_a_single_bit_is_noticed(saved, name, place):
    _, folder = saved
    flip(folder / name, place)
    with pytest.raises(AsrError, match=f"{name} is damaged, or of another model: .*copy or train"):
        load_model(folder)


def test_weights_to_begin_from_are_checked_too(saved):
    _, folder = saved
    flip(folder / WEIGHTS, 0.5)
    with pytest.raises(AsrError, match="is damaged"):
        read_weights(folder)


def test_truncated_weights_are_noticed(saved):
    _, folder = saved
    truncate(folder / WEIGHTS)
    with pytest.raises(AsrError, match="is damaged"):
        load_model(folder)


def test_weights_of_another_model_are_noticed(saved, tmp_path):
    model, folder = saved
    tokenizer = CharacterTokenizer()
    other = AcousticModel(model.config, len(tokenizer))  # which they would fit
    save_model(tmp_path / "other", Checkpoint(other, tokenizer, tokenizer), "")
    shutil.copy(tmp_path / "other" / WEIGHTS, folder)
    with pytest.raises(AsrError, match="of another model"):
        load_model(folder)
    write_checksums(folder)  # it was meant
    loaded = load_model(folder).model.state_dict()
    assert all(torch.equal(loaded[k], t.half().float()) for k, t in other.state_dict().items())


@pytest.mark.parametrize("name", [WEIGHTS, "tokenizer.json", "intermediate_tokenizer.json"])
def test_what_is_missing_is_named(tmp_path, name):
    characters, phones = CharacterTokenizer(), PhoneTokenizer()
    config = ModelConfig(encoder=EncoderConfig(layers=1, hidden=16), intermediate_layer=1)
    model = AcousticModel(config, len(characters), len(phones))
    save_model(tmp_path, Checkpoint(model, characters, phones), "")
    (tmp_path / name).unlink()
    with pytest.raises(AsrError, match=f"is not whole: {name} is missing"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[:-30],
        lambda text: text[: text.rindex("\n", 0, -1) + 1],  # without the line of the weights
        lambda text: "\x00" + text,
    ],
)
def test_damaged_checksums_are_no_excuse(saved, damage):
    _, folder = saved
    path = folder / CHECKSUMS
    path.write_text(damage(path.read_text()))
    with pytest.raises(AsrError, match=f"the checksums .*{CHECKSUMS} are damaged"):
        load_model(folder)


def test_card_lexicon_and_decoder_may_be_edited(saved):
    _, folder = saved
    for name in ("README.md", "words.lexicon", "decoder.yaml"):
        (folder / name).write_text("head: main\n")
    load_model(folder)


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="sha256sum is not installed")
def test_sha256sum_reads_the_checksums(saved):
    _, folder = saved
    command = ["sha256sum", "--check", "--strict", CHECKSUMS]
    assert subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0
    flip(folder / WEIGHTS, 0.5)
    assert subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 1


def test_a_saving_that_is_broken_off_leaves_a_folder_that_loads(saved, monkeypatch):
    model, folder = saved
    monkeypatch.setattr("asr.acoustic.checkpoint.save", None)  # on the way to the new weights
    tokenizer = CharacterTokenizer()
    with pytest.raises(TypeError):
        save_model(folder, Checkpoint(model, tokenizer, tokenizer), "# Another card\n")
    load_model(folder)


def test_a_folder_that_can_not_be_written_to_is_named(saved):
    model, folder = saved
    (folder / CHECKSUMS).unlink()
    (folder / CHECKSUMS).mkdir()
    tokenizer = CharacterTokenizer()
    with pytest.raises(AsrError, match=f"{CHECKSUMS} can't be deleted"):
        save_model(folder, Checkpoint(model, tokenizer, tokenizer), "")


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
    assert WEIGHTS in (folder / CHECKSUMS).read_text()
    assert "train-clean-5" in (folder / "README.md").read_text()
