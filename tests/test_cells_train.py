"""Every cell as users train it: chosen on the command line, killed, resumed, and put to use."""

import json
import signal
import subprocess
import sys

import pytest
import torch
import yaml
from safetensors.torch import load_file
from waiting import wait_until

from asr.acoustic.recurrent import CELLS
from asr.audio.read import audio_duration
from asr.cli.main import main

STEPS = 8  # of the tiny recipe
# What is set of model.encoder, and what the card of the model says of it.
VARIANTS = {
    "lstm": ({"cell": "lstm"}, "A bidirectional LSTM acoustic model trained"),
    "peephole": ({"cell": "peephole"}, "A bidirectional peephole LSTM acoustic model trained"),
    "cifg": ({"cell": "cifg"}, "A bidirectional coupled-gate LSTM acoustic model trained"),
    "gru": ({"cell": "gru"}, "A bidirectional GRU acoustic model trained"),
    "rnn": ({"cell": "rnn"}, "A bidirectional plain RNN acoustic model trained"),
    "attention": (
        {"attention_window": 5},
        "A bidirectional LSTM acoustic model with self-attention trained",
    ),
    "one direction": (
        {"bidirectional": False},
        "A unidirectional LSTM acoustic model trained",
    ),
}


def run(*arguments):
    assert main([str(argument) for argument in arguments]) == 0


def kill_midway(recipe, output, settings):
    """Starts a training in a process of its own, and kills it once it has saved its state."""
    command = [sys.executable, "-m", "asr", "train", str(recipe), f"output={output}", *settings]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    wait_until(lambda: (output / "state.pt").exists() or process.poll() is not None)
    process.send_signal(signal.SIGKILL)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, said


def state(folder):
    return torch.load(folder / "state.pt", weights_only=True)


def test_every_cell_is_trained_here():
    assert {settings.get("cell", "lstm") for settings, _ in VARIANTS.values()} == set(CELLS)


@pytest.mark.parametrize(("encoder", "what"), VARIANTS.values(), ids=VARIANTS)
def test_a_recipe_with_it_is_killed_and_resumed_to_the_same_weights(
    encoder, what, tiny_recipe, tmp_path, librivox, capsys
):
    settings = [f"model.encoder.{key}={json.dumps(value)}" for key, value in encoder.items()]
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    run("train", tiny_recipe, f"output={undisturbed}", *settings)
    kill_midway(tiny_recipe, killed, settings)
    assert 0 < state(killed)["progress"]["step"] < STEPS
    run("train", tiny_recipe, f"output={killed}", *settings, "--resume")
    first, second = state(undisturbed), state(killed)
    assert first["progress"]["step"] == second["progress"]["step"] == STEPS
    for part in ("model", "averaged"):
        for name, tensor in first[part].items():
            assert torch.equal(tensor, second[part][name]), f"{part}.{name}"
    weights = [
        load_file(folder / "model" / "model.safetensors") for folder in (undisturbed, killed)
    ]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())

    model, clip = killed / "model", librivox[1]
    capsys.readouterr()
    run("transcribe", clip.audio_filepath, "--model", model, "--format", "json")
    transcript = json.loads(capsys.readouterr().out)
    assert transcript["duration"] == pytest.approx(audio_duration(clip.audio_filepath), abs=0.01)
    # After eight steps no model knows which words are spoken.
    assert main(["align", clip.audio_filepath, "--model", str(model), "--text", clip.text]) == 1
    assert "the text is not what is spoken in it" in capsys.readouterr().err
    assert what in (model / "README.md").read_text()
    assert encoder.items() <= yaml.safe_load((model / "config.yaml").read_text())["encoder"].items()
    run("evaluate", tiny_recipe.parent / "clips.jsonl", "--model", model)
    assert "WER" in capsys.readouterr().out
