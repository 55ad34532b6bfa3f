"""How far gradients reach, on real speech."""

import csv

import numpy as np
import pytest
import torch

from asr.acoustic.checkpoint import load_model
from asr.acoustic.recurrent import CELLS
from asr.audio.read import load_audio
from asr.inspection import gradients


@pytest.fixture(scope="module")
def windows(librivox):
    signals = [load_audio(clip.audio_filepath) for clip in librivox]
    return gradients.cut_windows(
        [signal for signal in signals if gradients.is_long_enough(signal)]
    )[:4]


def curve(cell, windows, gain=1.0):
    network = gradients.single_layer(cell, gain)
    return gradients.Curve(cell, "start", *gradients.measure(network, windows))


def test_at_the_start_the_rnn_forgets_before_the_lstm(windows):
    rnn, lstm = (curve(cell, windows) for cell in ("rnn", "lstm"))
    assert rnn.reach() < lstm.reach()
    assert rnn.reach() <= 20  # its Jacobians shrink by about 1 / sqrt(3) a frame
    # The LSTM's carry the gradient along c, by a forget gate that begins at s(1) = 0.73.
    slope = np.polyfit(np.arange(100, 200), np.log(lstm.norms[100:200]), 1)[0]
    assert np.log(0.5) < slope < np.log(0.9)
    assert len(rnn.norms) == gradients.FRAMES + 1
    assert rnn.norms[-1] > 0.0  # far below what float32 holds


def test_large_recurrent_weights_make_it_explode_and_clipping_bounds_it(windows):
    wild = curve("rnn", windows, gain=3.0)
    assert wild.norms[200] > 100 * wild.norms[0]
    assert wild.reach() is None
    assert wild.scale < 1e-3
    np.testing.assert_allclose(wild.clipped, wild.norms * wild.scale)


def test_norms_are_what_a_small_change_of_the_input_does(windows, monkeypatch):
    """Against differences of the loss, bin by bin."""
    monkeypatch.setattr(gradients, "_HIDDEN", 24)
    network = gradients.single_layer("gru")
    window = windows[:1]
    norms, _ = gradients.measure(network, window, seed=5)
    inputs = window.double()
    unit = torch.randint(29, (1,), generator=torch.Generator().manual_seed(5))

    @torch.no_grad()
    def losses(x):
        return torch.nn.functional.cross_entropy(network(x), unit.expand(len(x)), reduction="none")

    for k in (0, 3):
        step = torch.zeros(80, *inputs.shape[1:], dtype=torch.float64)
        step[:, gradients.AT - k] = 1e-4 * torch.eye(80)
        slopes = (losses(inputs + step) - losses(inputs - step)) / 2e-4
        assert float(slopes.norm()) == pytest.approx(norms[k], rel=1e-4)


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_is_measured_and_nothing_comes_from_behind(cell, windows):
    network = gradients.single_layer(cell)
    norms, scale = gradients.measure(network, windows[:1])
    assert (norms[:20] > 0).all()
    assert 0 < scale <= 1
    changed = windows[:1].clone()
    changed[:, gradients.AT + 1 :] = 0.0
    np.testing.assert_array_equal(gradients.measure(network, changed)[0], norms)


def test_a_trained_model_and_its_start_are_measured(windows, tmp_path):
    checkpoint = load_model()
    curves = []
    for weights, model in (
        ("start", gradients.untrained(checkpoint)),
        ("trained", checkpoint.model),
    ):
        measured = gradients.measure(gradients.WholeModel(model), windows[:2])
        curves.append(gradients.Curve("m", weights, *measured))
    assert not np.allclose(*(curve.norms for curve in curves))
    # What it heard in the last 100 ms matters more than what it heard 2 to 3 s before.
    assert curves[1].norms[:10].mean() > 2 * curves[1].norms[200:].mean()
    gradients.write_csv(tmp_path / "c.csv", curves)
    with open(tmp_path / "c.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * (gradients.FRAMES + 1)
    assert [row["weights"] for row in rows[:: gradients.FRAMES + 1]] == ["start", "trained"]
    last = rows[-1]
    assert (last["k"], last["milliseconds"]) == ("300", "3000.0")
    assert float(last["norm"]) == pytest.approx(curves[1].norms[-1], rel=1e-5)
    assert float(last["norm_clipped"]) <= float(last["norm"])


def test_windows_come_from_all_over_the_recordings(librivox):
    signals = [load_audio(librivox[0].audio_filepath)]
    cut = gradients.cut_windows(signals)
    assert cut.shape == (16, 501, 80)
    assert not gradients.is_long_enough(signals[0][: 160 * 499])
    assert gradients.is_long_enough(signals[0][: 160 * 500])
    assert gradients.cut_windows([signals[0][: 160 * 500]]).shape == (1, 501, 80)
    assert not torch.equal(cut[0], cut[-1])
