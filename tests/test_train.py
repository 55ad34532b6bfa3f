"""Training as users meet it: whole runs of the command line, interrupted, killed, resumed."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from waiting import wait_until

from asr.acoustic.checkpoint import Checkpoint, load_model, save_model
from asr.acoustic.folder import open_model
from asr.acoustic.network import AcousticModel
from asr.config.loading import load_recipe
from asr.config.schema import TrainConfig
from asr.corpora.manifest import write_manifest
from asr.errors import AsrError
from asr.runtime.device import choose_device
from asr.runtime.interrupt import Interrupted
from asr.tokenizers.tokenizer import BpeTokenizer
from asr.training.acoustic import MODEL, STATE, AcousticProgress, train
from asr.training.state import read_state

RECIPE = """
name: tiny
data:
  {{manifests: {folder}, cache: {folder}/cache, train: [clips], dev: [clips], dev_utterances: 3}}
model:
  front_end: {{channels: [8, 8]}}
  encoder: {{layers: 2, hidden: 24, dropout: 0.1}}
  intermediate_layer: 1
augment: {{frequency_width: 10, time_width: 10}}
train:
  epochs: 3
  batch_seconds: 8
  checkpoint_every: 1
  precision: float32
  denominator_weight: 0.5
  denominator_head: intermediate
"""


@pytest.fixture(scope="module")
def recipe_path(tmp_path_factory, librivox):
    """A tiny recipe on the clips, four times each."""
    folder = tmp_path_factory.mktemp("tiny")
    write_manifest(folder / "clips.jsonl", librivox * 4)
    (folder / "tiny.yaml").write_text(RECIPE.format(folder=folder))
    return folder / "tiny.yaml"


def start(recipe_path, output, *settings):
    command = [sys.executable, "-m", "asr", "train", str(recipe_path), f"output={output}"]
    return subprocess.Popen(
        [*command, *settings], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finish(process):
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    return output


def wait_for_steps(process, state: Path, steps: int):
    """Waits until the run has written its state that many times."""
    seen = set()

    def written():
        if state.exists():
            seen.add(state.stat().st_mtime_ns)
        return len(seen) >= steps or process.poll() is not None

    wait_until(written)


def stop(recipe, resume=False):
    """Trains until a state has been written, and presses Ctrl-C."""
    path = recipe.folder / STATE
    before = path.stat().st_mtime_ns if path.exists() else None

    def press():
        wait_until(lambda: path.exists() and path.stat().st_mtime_ns != before)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()
    with pytest.raises(Interrupted):
        train(recipe, resume)


@pytest.fixture(scope="module")
def undisturbed(recipe_path, tmp_path_factory):
    output = tmp_path_factory.mktemp("undisturbed") / "run"
    finish(start(recipe_path, output))
    return output


def weights(run):
    return load_file(run / "model" / "model.safetensors")


def assert_same_run(a, b):
    """Compares the weights and all else that a next step would depend on."""
    first, second = (torch.load(run / "state.pt", weights_only=True) for run in (a, b))
    for part in ("model", "averaged"):
        for name, tensor in first[part].items():
            assert torch.equal(tensor, second[part][name]), f"{part}.{name}"
    assert torch.equal(first["random"], second["random"])
    assert first["progress"]["step"] == second["progress"]["step"]
    for name, tensor in weights(a).items():
        assert torch.equal(tensor, weights(b)[name]), name


def test_killed_at_any_point_and_resumed_ends_with_the_same_weights(
    recipe_path, tmp_path, undisturbed
):
    run = tmp_path / "run"
    kills = 0
    for steps, delay in ((2, 0.0), (5, 0.03), (9, 0.011)):
        process = start(recipe_path, run, "--resume")
        wait_for_steps(process, run / "state.pt", steps)
        time.sleep(delay)  # anywhere in a step, or while the state is being written
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
    assert kills == 3
    assert "resumed" in finish(start(recipe_path, run, "--resume"))
    assert_same_run(undisturbed, run)


def test_every_optimizer_resumes_exactly(recipe_path, tmp_path):
    finish(start(recipe_path, tmp_path / "whole", "train.optimizer=muon"))
    process = start(recipe_path, tmp_path / "killed", "train.optimizer=muon")
    wait_for_steps(process, tmp_path / "killed" / "state.pt", 5)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    finish(start(recipe_path, tmp_path / "killed", "train.optimizer=muon", "--resume"))
    assert_same_run(tmp_path / "whole", tmp_path / "killed")


def test_ctrl_c_stops_at_a_checkpoint(recipe_path, tmp_path, undisturbed):
    run = tmp_path / "run"
    process = start(recipe_path, run, "train.checkpoint_every=1000")
    wait_until(  # for the first step
        lambda: (
            any(path.stat().st_size > 300 for path in run.glob("events.*"))
            or process.poll() is not None
        )
    )
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "go on with --resume" in output
    assert "Traceback" not in output
    finish(start(recipe_path, run, "--resume"))
    assert_same_run(undisturbed, run)


def test_a_second_sigterm_kills():
    loop = "import time\nfrom asr.runtime.interrupt import stop_signal\n"
    loop += "with stop_signal() as stop:\n    print('in', flush=True)\n"
    loop += "    while not stop(): time.sleep(0.01)\n    print('asked', flush=True)\n"
    loop += "    time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", loop], stdout=subprocess.PIPE, text=True)
    for line in ("in\n", "asked\n"):
        assert process.stdout.readline() == line
        process.terminate()
    assert process.wait(timeout=30) == -signal.SIGTERM


def test_curves_keep_every_epoch_of_a_run_that_was_killed(recipe_path, tmp_path):
    run = tmp_path / "run"
    settings = ["train.checkpoint_every=1000"]  # states only at the end of an epoch
    process = start(recipe_path, run, *settings)
    wait_until(lambda: (run / MODEL).exists() or process.poll() is not None)
    assert (run / STATE).exists()  # always, where there is a model
    wait_for_steps(process, run / STATE, 2)
    process.kill()
    process.communicate()
    time.sleep(1)  # files of curves are read in the order of the seconds they were begun in
    train(load_recipe(recipe_path, [f"output={run}", *settings]), resume=True)
    curves = EventAccumulator(str(run))
    curves.Reload()
    steps = [event.step for event in curves.Scalars("train/loss")]
    assert steps == list(range(1, len(steps) + 1))
    ends = {event.step for event in curves.Scalars("epoch/dev_wer")}
    assert len(ends) == 3


def test_a_run_learns_and_writes_a_usable_model(undisturbed):
    state = torch.load(undisturbed / "state.pt", weights_only=True)
    losses = [entry["loss"] for entry in state["progress"]["history"]]
    assert len(losses) == 3
    assert losses[-1] < 0.8 * losses[0]
    checkpoint = load_model(undisturbed / "model")
    assert checkpoint.tokenizer.kind == "characters"
    assert "WER" in (undisturbed / "model" / "README.md").read_text()


def test_a_run_is_never_overwritten_and_never_resumed_as_another(recipe_path, undisturbed):
    recipe = load_recipe(recipe_path, [f"output={undisturbed}"])
    with pytest.raises(AsrError, match="holds a run already; go on with --resume"):
        train(recipe)
    other = load_recipe(recipe_path, [f"output={undisturbed}", "train.peak_rate=1e-3"])
    with pytest.raises(AsrError, match=r"started with other settings \(train.peak_rate\)"):
        train(other, resume=True)
    free = ["lm.order=2", "data.test=[x]", "data.tune={x: y}", "train.workers=1"]
    later = load_recipe(recipe_path, [f"output={undisturbed}", *free])
    assert train(later, resume=True) == undisturbed / "model"  # they don't change what is trained


def test_a_model_that_lost_its_state_is_not_overwritten(recipe_path, tmp_path, undisturbed):
    shutil.copytree(undisturbed, tmp_path / "run")
    (tmp_path / "run" / STATE).unlink()
    recipe = load_recipe(recipe_path, [f"output={tmp_path / 'run'}"])
    for resume in (False, True):
        with pytest.raises(AsrError, match=r"model would be overwritten: .* move the model away"):
            train(recipe, resume)
    assert weights(tmp_path / "run").keys() == weights(undisturbed).keys()


def test_a_resumed_run_keeps_its_units_and_data(recipe_path, tmp_path, librivox):
    manifest = tmp_path / "mine.jsonl"
    settings = [f"output={tmp_path / 'run'}", "units={kind: bpe, size: 40}", "train.epochs=50"]
    recipe = load_recipe(recipe_path, [*settings, f"data.train=[{manifest}]"])
    write_manifest(manifest, librivox)
    stop(recipe)

    texts = [u.text for u in librivox]
    write_manifest(manifest, [replace(u, text=u.text[::-1]) for u in librivox])
    with pytest.raises(AsrError, match=r"training data of the run in .*/run have changed"):
        train(recipe, resume=True)

    # The same data in another place, with units that would no longer be learned from them.
    audio = shutil.copytree(Path(librivox[0].audio_filepath).parent, tmp_path / "moved")
    moved = [str(audio / Path(u.audio_filepath).name) for u in librivox]
    write_manifest(
        manifest, [replace(u, audio_filepath=p) for u, p in zip(librivox, moved, strict=True)]
    )
    units = BpeTokenizer.train([*texts, *["QU"] * 100], 40).to_json()
    record = torch.load(tmp_path / "run" / STATE, weights_only=True)
    assert record["tokenizers"][0] != units
    torch.save({**record, "tokenizers": [units, units]}, tmp_path / "run" / STATE)
    stop(recipe, resume=True)
    assert read_state(tmp_path / "run" / STATE, recipe)["tokenizers"] == [units, units]


def test_patience_counts_epochs_since_the_best_one():
    def waited(*errors):
        return AcousticProgress(history=[{"dev_wer": wer} for wer in errors]).epochs_since_best()

    assert waited() == 0
    assert waited(0.8, 0.7, 0.75, 0.71) == 2
    assert waited(0.8, 0.7, 0.75, 0.7) == 0
    assert waited(1.0, 1.2, 0.99, 1.1, 1.0) == 0  # nothing learned yet
    config = TrainConfig(epochs=9, patience=2)
    history = [{"dev_wer": wer} for wer in (0.8, 0.6, 0.7, 0.65)]
    assert not AcousticProgress(epoch=3, history=history[:3]).finished(config)
    assert AcousticProgress(epoch=4, history=history).finished(config)
    assert not AcousticProgress(epoch=4, history=history).finished(TrainConfig(epochs=9))
    assert AcousticProgress(epoch=9, history=history[:2]).finished(config)


def of_phones(folder):
    """The bundled model with the head of its phones as main head too."""
    bundled = load_model()
    config = bundled.model.config.model_copy(update={"speller": None})
    phones = bundled.intermediate_tokenizer
    model = AcousticModel(config, len(phones), len(phones))
    own, given = model.state_dict(), bundled.model.state_dict()
    for name in own:
        own[name] = given[f"intermediate_{name}" if name.startswith("head.") else name]
    model.load_state_dict(own)
    save_model(folder, Checkpoint(model, phones, phones), "phones")
    return load_model(folder)


@pytest.mark.parametrize("denominator", [0.0, 0.5])
def test_a_run_that_gets_worse_ends_early_and_is_finished(recipe_path, tmp_path, denominator):
    """From the bundled model's weights, at a rate that rises until they are ruined."""
    phones = of_phones(tmp_path / "phones")
    run = tmp_path / "run"
    settings = [
        f"model={phones.model.config.model_dump_json()}",
        "units={kind: phones, intermediate: phones}",
        f"init_from={tmp_path / 'phones'}",
        "train.epochs=30",
        "train.patience=2",
        "train.warm_up=1",
        "train.peak_rate=0.05",
        "train.average_decay=0",
        f"train.denominator_weight={denominator}",
    ]
    output = finish(start(recipe_path, run, *settings))
    state = torch.load(run / "state.pt", weights_only=True)
    history = state["progress"]["history"]
    assert 3 <= len(history) < 30
    best = min(entry["dev_wer"] for entry in history)
    assert [entry["dev_wer"] > best for entry in history[-3:]] == [False, True, True]
    assert f"ended early: no epoch since {len(history) - 2} had fewer wrong words" in output
    # Which epoch's weights are kept: the best one's, or behind a denominator the last one's.
    last = state["averaged"]
    kept = [torch.equal(last[f"module.{name}"].half(), w) for name, w in weights(run).items()]
    assert all(kept) == bool(denominator)
    before = (run / "state.pt").stat().st_mtime_ns
    assert "epoch" not in finish(start(recipe_path, run, *settings, "--resume"))
    assert (run / "state.pt").stat().st_mtime_ns == before


def test_too_many_units_for_a_denominator_are_one_clear_sentence(recipe_path, tmp_path):
    settings = ["units={kind: bpe, size: 170}", "train.denominator_head=main"]
    recipe = load_recipe(recipe_path, [*settings, f"output={tmp_path / 'run'}"])
    with pytest.raises(AsrError, match="units of the main head are too many"):
        train(recipe)
    assert not (tmp_path / "run" / MODEL).exists()


def test_a_damaged_state_is_named(recipe_path, tmp_path, undisturbed):
    (tmp_path / "run").mkdir()
    data = (undisturbed / "state.pt").read_bytes()
    (tmp_path / "run" / "state.pt").write_bytes(data[: len(data) // 2])
    recipe = load_recipe(recipe_path, [f"output={tmp_path / 'run'}"])
    with pytest.raises(AsrError, match="is damaged"):
        train(recipe, resume=True)


def test_diverged_training_stops_with_a_clear_message(recipe_path, tmp_path):
    settings = [f"output={tmp_path / 'run'}", "train.max_bad_steps=3"]
    settings += ["train.peak_rate=1e30", "train.warm_up=0"]
    with pytest.raises(AsrError, match="not finite in 3 steps in a row"):
        train(load_recipe(recipe_path, settings))


def test_a_stage_starts_from_the_model_of_another(recipe_path, tmp_path, undisturbed):
    settings = [f"output={tmp_path / 'run'}", f"init_from={undisturbed / 'model'}"]
    settings += ["train.epochs=1", "train.peak_rate=1e-12", "train.average_decay=0"]
    model = train(load_recipe(recipe_path, settings))
    before = weights(undisturbed)
    for name, tensor in load_file(model / "model.safetensors").items():
        torch.testing.assert_close(tensor, before[name], atol=1e-3, rtol=1e-3)


def test_with_the_weights_of_another_model_come_its_bpe_units(recipe_path, tmp_path):
    """They were learned from other texts: units learned here would not fit the head."""
    bundled = open_model()
    settings = [
        f"output={tmp_path / 'run'}",
        f"init_from={bundled.path}",
        f"model={bundled.config.model_dump_json()}",
        "units={kind: bpe, size: 2000, intermediate: phones}",
        "train.epochs=1",
        "train.peak_rate=1e-12",
        "train.average_decay=0",
        "train.denominator_weight=0",
        "train.batch_seconds=100",
    ]
    trained = open_model(train(load_recipe(recipe_path, settings)))
    assert trained.tokenizer.to_json() == bundled.tokenizer.to_json()
    (stated,) = read_state(tmp_path / "run" / STATE, load_recipe(recipe_path, settings))[
        "progress"
    ]["history"]
    assert stated["dev_wer"] < 0.5  # chance would be above 0.9


def test_the_stages_of_a_recipe_are_trained_in_turn(recipe_path, tmp_path):
    staged = tmp_path / "staged.yaml"
    before = "before: {train: {epochs: 1}, units: {kind: phones}}\n"
    staged.write_text(recipe_path.read_text() + before)
    recipe = load_recipe(staged, [f"output={tmp_path / 'run'}", "train.epochs=2"])
    model = train(recipe)
    first = read_state(tmp_path / "run" / "before" / STATE, recipe.before)
    last = read_state(tmp_path / "run" / STATE, recipe)
    assert [s["progress"]["epoch"] for s in (first, last)] == [2, 2]
    assert [s["progress"]["earlier"] for s in (first, last)] == [0, 2]
    assert load_model(tmp_path / "run" / "before" / "model").tokenizer.kind == "phones"
    assert load_model(model).tokenizer.kind == "characters"
    assert train(recipe, resume=True) == model  # which is done


def test_a_stage_does_not_repeat_the_draws_of_the_one_before(recipe_path, tmp_path):
    staged = tmp_path / "staged.yaml"
    staged.write_text(recipe_path.read_text() + "before: {}\n")
    settings = ["train.epochs=1", "train.average_decay=0"]
    continued = train(load_recipe(staged, [*settings, f"output={tmp_path / 'run'}"]))
    again = [f"init_from={tmp_path / 'run' / 'before' / 'model'}", f"output={tmp_path / 'again'}"]
    repeated = train(load_recipe(recipe_path, [*settings, *again]))
    assert weights(continued.parent).keys() == weights(repeated.parent).keys()
    assert any(
        not torch.equal(weight, weights(repeated.parent)[name])
        for name, weight in weights(continued.parent).items()
    )


def test_a_started_stage_does_not_need_the_one_before(recipe_path, tmp_path):
    staged = tmp_path / "staged.yaml"
    staged.write_text(recipe_path.read_text() + "before: {train: {epochs: 1}}\n")
    settings = [f"output={tmp_path / 'run'}", "train.epochs=50", "before.train.epochs=1"]
    stop(load_recipe(staged, settings))
    shutil.rmtree(tmp_path / "run" / "before")
    stop(load_recipe(staged, [*settings, "before.train.peak_rate=1e-5"]), resume=True)
    assert not (tmp_path / "run" / "before").exists()


def test_the_death_of_a_loader_process_is_one_clear_sentence(recipe_path, tmp_path):
    process = start(recipe_path, tmp_path / "run", "train.workers=1", "train.epochs=500")
    wait_for_steps(process, tmp_path / "run" / "state.pt", 3)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        process.kill()
        pytest.skip("child processes can't be listed here")
    for child in children.read_text().split():
        os.kill(int(child), signal.SIGKILL)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "a process that makes batches was killed" in " ".join(output.split())
    assert "Traceback" not in output
    assert read_state(
        tmp_path / "run" / "state.pt",
        load_recipe(recipe_path, [f"output={tmp_path / 'run'}", "train.epochs=500"]),
    )


def test_a_device_beyond_the_last_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(AsrError, match=r"cuda:7 was asked for, .* the last .* here is cuda:1"):
        choose_device("cuda:7")


def test_a_recipe_without_its_data_is_one_clear_sentence(recipe_path, tmp_path):
    for setting, message in [
        ("data.train=[nowhere]", "nowhere.jsonl does not exist"),
        ("init_from=nowhere", "there is no model nowhere"),
        ("train.device=tpu", "there is no device 'tpu'"),
    ]:
        process = start(recipe_path, tmp_path / "run", setting)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 1
        assert message in output
        assert len(output.strip().splitlines()) == 1


def test_bpe_units_train_too(recipe_path, tmp_path):
    settings = [f"output={tmp_path / 'run'}", "units={kind: bpe, size: 40}", "train.epochs=1"]
    settings += ["data.dev_utterances=100"]
    model = train(load_recipe(recipe_path, settings))
    tokenizer = load_model(model).tokenizer
    assert tokenizer.kind == "bpe"
    assert len(tokenizer) == 41
    assert "on 20 utterances of clips" in (model / "README.md").read_text()  # as many as there are
