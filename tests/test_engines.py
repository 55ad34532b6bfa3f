"""The engine without torch says what torch says, and does without it."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from asr.acoustic.checkpoint import Checkpoint, load_model, save_model
from asr.acoustic.folder import CHECKSUMS, open_model
from asr.acoustic.network import AcousticModel
from asr.audio.read import load_audio
from asr.config.schema import EncoderConfig, FrontEndConfig, ModelConfig, SpellerConfig
from asr.errors import AsrError
from asr.features.log_mel import extract
from asr.inference import kernels, load_engine
from asr.inference import numba_features as features
from asr.inference.numba_engine import NumbaEngine, supports
from asr.inference.torch_engine import TorchEngine
from asr.tokenizers.tokenizer import CharacterTokenizer, PhoneTokenizer

# Widths that are no multiples of what the kernels take at a time.
CONFIGS = {
    "odd": ModelConfig(
        mel_bins=37,
        front_end=FrontEndConfig(channels=(3, 5)),
        encoder=EncoderConfig(layers=2, hidden=13),
    ),
    "one direction": ModelConfig(encoder=EncoderConfig(layers=2, hidden=24, bidirectional=False)),
    "stacked": ModelConfig(
        encoder=EncoderConfig(layers=3, hidden=24, stack_after=1), intermediate_layer=1
    ),
    "stacked above": ModelConfig(
        encoder=EncoderConfig(layers=3, hidden=24, stack_after=2), intermediate_layer=3
    ),
    "emissions": ModelConfig(
        front_end=FrontEndConfig(channels=(4, 8, 8)),
        encoder=EncoderConfig(layers=2, hidden=24),
        emissions=2,
        intermediate_layer=2,
    ),
    "speller": ModelConfig(
        front_end=FrontEndConfig(channels=(4, 8, 8)),
        encoder=EncoderConfig(layers=3, hidden=24, bottleneck=17),
        emissions=2,
        intermediate_layer=3,
        speller=SpellerConfig(inputs=7, hidden=9, code=5),
    ),
    "speller above stacked": ModelConfig(
        encoder=EncoderConfig(layers=2, hidden=12, stack_after=1, bidirectional=False),
        speller=SpellerConfig(inputs=6, hidden=8, code=30),
    ),
}


@pytest.fixture(scope="module")
def signals(librivox):
    """Two clips, cuts of them, and next to nothing."""
    whole = [load_audio(clip.audio_filepath) for clip in librivox[:2]]
    return [*whole, *(signal[: len(signal) // 3] for signal in whole), whole[0][:200], whole[0][:1]]


@pytest.fixture(params=["bundled", *CONFIGS])
def folder(request, tmp_path):
    if request.param == "bundled":
        return open_model()
    torch.manual_seed(0)
    config = CONFIGS[request.param]
    units, others = CharacterTokenizer(), PhoneTokenizer()
    model = AcousticModel(config, len(units), len(others)).eval()
    for parameter in model.parameters():  # far from where they begin, where much is zero or one
        torch.nn.init.normal_(parameter, std=0.3)
    save_model(tmp_path, Checkpoint(model, units, others), "a model by chance")
    return open_model(tmp_path)


def test_it_says_what_torch_says(folder, signals):
    engine = load_engine(folder, "cpu")
    assert isinstance(engine, NumbaEngine)
    reference = TorchEngine(load_model(folder.path).model)
    assert engine.seconds_per_frame == reference.seconds_per_frame
    found, expected = engine.emit(signals), reference.emit(signals)
    assert found.lengths.tolist() == expected.lengths.tolist()
    heads = ["main", "intermediate"] if folder.config.intermediate_layer else ["main"]
    for head in heads:
        a, b = found.head(head), expected.head(head)
        assert a.shape == b.shape
        for i, length in enumerate(found.lengths.tolist()):
            np.testing.assert_allclose(a[i, :length], b[i, :length], atol=2e-4)
            np.testing.assert_allclose(np.exp(a[i, :length]), np.exp(b[i, :length]), atol=2e-5)
    assert (found.intermediate is None) == (not folder.config.intermediate_layer)


@pytest.mark.parametrize("threads", [1, 3])
def test_company_and_threads_change_not_a_bit(folder, signals, threads):
    units = len(folder.tokenizer), len(folder.intermediate_tokenizer)
    alone = NumbaEngine(folder.config, folder.weights(), *units)
    engine = NumbaEngine(folder.config, folder.weights(), *units, threads)
    together, turned = engine.emit(signals), engine.emit(signals[::-1])
    for i, signal in enumerate(signals):
        expected = alone.emit([signal]).log_probs[0]
        single = engine.emit([signal]).log_probs[0]
        for found in (single, together.log_probs[i], turned.log_probs[-1 - i]):
            assert np.array_equal(found[: len(expected)], expected)


def test_weights_are_read_alike_in_16_and_32_bits(signals, monkeypatch):
    folder = open_model()
    units = len(folder.tokenizer), len(folder.intermediate_tokenizer)
    halves = NumbaEngine(folder.config, folder.weights(), *units)
    monkeypatch.setattr(kernels, "_widens_halves", lambda: False)
    floats = NumbaEngine(folder.config, folder.weights(), *units)
    assert floats._head.weights.dtype == np.float32
    for signal in signals[:2]:
        assert np.array_equal(halves.emit([signal]).log_probs, floats.emit([signal]).log_probs)


@pytest.mark.parametrize("inputs", [3, 16, 29])
def test_a_product_is_the_same_in_any_company(inputs):
    noise = np.random.default_rng(1)
    x = noise.standard_normal((10, inputs)).astype(np.float32)
    weights = kernels.pack(noise.standard_normal((inputs, 21)).astype(np.float16))
    bias = noise.standard_normal(21).astype(np.float32)
    alone = np.concatenate([kernels.affine(row[None], weights, bias) for row in x])
    widened = weights.view(np.float16) if weights.dtype == np.uint16 else weights
    np.testing.assert_allclose(alone, x @ widened.astype(np.float32) + bias, atol=1e-4)
    for rows in range(11):
        assert np.array_equal(kernels.affine(x[:rows], weights, bias), alone[:rows])


def test_features_are_those_of_training(signals):
    for signal in [*signals, np.zeros(1000, np.float32), signals[0] * 1e-5]:
        expected = extract(torch.from_numpy(signal), 80).numpy()
        np.testing.assert_allclose(features.extract(signal, 80), expected, atol=1e-4)


def test_other_cells_are_left_to_torch(tmp_path):
    units = CharacterTokenizer()
    for encoder in (
        EncoderConfig(layers=1, hidden=8, cell="gru"),
        EncoderConfig(layers=2, hidden=8, attention_window=2),
    ):
        config = ModelConfig(encoder=encoder)
        assert not supports(config)
        save_model(tmp_path, Checkpoint(AcousticModel(config, len(units)), units, units), "")
        assert isinstance(load_engine(open_model(tmp_path), "cpu"), TorchEngine)


@pytest.mark.parametrize("change", ["hidden: 8", "layers: 2", "units"])
def test_weights_of_another_model_are_one_clear_sentence(tmp_path, change):
    units = CharacterTokenizer()
    config = ModelConfig(encoder=EncoderConfig(layers=1, hidden=12))
    save_model(tmp_path, Checkpoint(AcousticModel(config, len(units)), units, units), "")
    (tmp_path / CHECKSUMS).unlink()
    if change == "units":
        PhoneTokenizer().save(tmp_path / "tokenizer.json")
    else:
        key = change.split(":")[0]
        lines = (tmp_path / "config.yaml").read_text().splitlines()
        changed = [f"  {change}" if line.startswith(f"  {key}:") else line for line in lines]
        assert changed != lines
        (tmp_path / "config.yaml").write_text("\n".join(changed))
    with pytest.raises(AsrError, match=r"model\.safetensors do not fit the config and tokenizer"):
        load_engine(open_model(tmp_path), "cpu")


def test_the_command_line_transcribes_without_torch(librivox):
    script = (
        "import sys; from asr.cli.main import main;"
        f"status = main(['transcribe', {str(librivox[0].audio_filepath)!r}, '--device', 'cpu']);"
        "print(status, 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    *text, status = done.stdout.splitlines()
    assert "".join(text)
    assert status == "0 False"
