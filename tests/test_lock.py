"""Two trainings into one output: the second is refused, unless the first is dead."""

import signal
import subprocess
import sys

import pytest

from asr.config.loading import load_recipe
from asr.config.schema import RecurrentConfig
from asr.errors import AsrError
from asr.training.acoustic import STATE, train
from asr.training.lock import sole_training
from asr.training.lstm_lm import train_recurrent
from asr.training.speller.train import train_speller

HOLD = """
import sys, time
from pathlib import Path
from asr.training.lock import sole_training
with sole_training(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def hold():
    """Starts processes that hold the lock of a state; they are killed in the end."""
    processes = []

    def start(state):
        command = [sys.executable, "-c", HOLD, str(state)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_the_second_is_refused_until_the_first_is_dead(tmp_path, hold):
    state = tmp_path / "run" / "state.pt"
    first = hold(state)
    for _ in range(2):  # A refusal takes nothing from the first.
        refused = pytest.raises(
            AsrError, match=rf"another training, process {first.pid}, writes to"
        )
        with refused, sole_training(state):
            pytest.fail("the lock was given twice")
    with sole_training(tmp_path / "other" / "state.pt"):
        pass
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert state.with_name("state.pt.lock").exists()  # A killed process leaves the file.
    with sole_training(state):
        pass
    assert list(state.parent.iterdir()) == []


def test_every_training_is_refused_at_once(tiny_recipe, tmp_path, hold):
    recipe = load_recipe(tiny_recipe, [f"output={tmp_path / 'run'}"])
    output = tmp_path / "output"
    trainings = {
        tmp_path / "run" / STATE: lambda: train(recipe),
        tmp_path / "output.state": lambda: train_speller(recipe, tmp_path, output, []),
        tmp_path / "a.lstm.state": lambda: train_recurrent(
            [tmp_path], tmp_path / "a.lstm", RecurrentConfig()
        ),
    }
    for state, start in trainings.items():
        first = hold(state)
        with pytest.raises(AsrError, match=rf"another training, process {first.pid}, writes to "):
            start()


def test_a_folder_that_cannot_be_written_needs_no_lock(tmp_path):
    (tmp_path / "file").write_text("")
    with sole_training(tmp_path / "file" / "state.pt"):
        pass
