"""What is seen inside of cells: gates against the equations, memory, followers, costs."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from asr.acoustic.network import AcousticModel
from asr.acoustic.recurrent import CELLS
from asr.audio.read import SAMPLE_RATE, load_audio
from asr.config.loading import load_recipe
from asr.config.schema import EncoderConfig, FrontEndConfig, ModelConfig
from asr.features.log_mel import extract
from asr.inspection import cost
from asr.inspection.events import BOUNDARY, SILENCE, VOICING, at_frames, correlate, find_events
from asr.inspection.memory import measure_memory
from asr.inspection.trace import equation_cell, trace
from asr.transcript import Word

RECIPE = Path(__file__).parents[1] / "recipes" / "mini_librispeech.yaml"
HIDDEN = 12


def make_model(cell, **encoder):
    torch.manual_seed(3)
    config = ModelConfig(
        front_end=FrontEndConfig(channels=(4, 4)),
        encoder=EncoderConfig(cell=cell, layers=3, hidden=HIDDEN, **encoder),
    )
    return AcousticModel(config, 29).eval()


@pytest.fixture(scope="module")
def features(librivox):
    return extract(torch.from_numpy(load_audio(librivox[1].audio_filepath)))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [True, False])
def test_gates_and_states_are_those_of_the_layer_itself(cell, bidirectional, features):
    model = make_model(cell, bidirectional=bidirectional, stack_after=1)
    outputs_of = []
    for layer in model.encoder.layers:
        layer.register_forward_hook(lambda _, __, outputs: outputs_of.append(outputs[:, 0]))
    _, layers = trace(model, features)
    assert [layer.seconds_per_frame for layer in layers] == [0.04, 0.08, 0.08]
    for layer, outputs in zip(layers, outputs_of, strict=True):
        np.testing.assert_allclose(layer.output, outputs.detach().numpy(), atol=1e-5)
        halves = [(slice(0, HIDDEN), slice(None))]
        if bidirectional:
            halves.append((slice(HIDDEN, None), slice(None, None, -1)))
        for units, order in halves:
            h, c = layer.output[order, units], layer.state[order, units]
            gates = {name: values[order, units] for name, values in layer.gates.items()}
            if cell == "rnn":
                assert gates == {}
                continue
            assert all(((gate > 0) & (gate < 1)).all() for gate in gates.values())
            if cell == "gru":
                kept, taken = gates["update"], 1 - gates["update"]
            else:
                kept, taken = gates["forget"], gates["input"]
                np.testing.assert_allclose(h, gates["output"] * np.tanh(c), atol=1e-5)
            if cell == "cifg":
                np.testing.assert_allclose(kept, 1 - taken, atol=1e-9)
            before = np.concatenate([np.zeros((1, HIDDEN)), c[:-1]])
            offered = (c - kept * before) / taken  # the candidate, a tanh
            assert np.abs(offered).max() < 1 + 1e-4
            assert np.abs(offered).std() > 0.01


def test_a_constant_forget_gate_has_the_time_constant_of_its_decay(features):
    model = make_model("lstm")
    bias = 2.0
    for layer in model.encoder.layers:
        for half in (layer.forwards, layer.backwards):
            weights = dict(half.layer.named_parameters())
            with torch.no_grad():
                for name in ("weight_ih_l0", "weight_hh_l0", "bias_hh_l0"):
                    weights[name][HIDDEN : 2 * HIDDEN] = 0.0
                weights["bias_ih_l0"][HIDDEN : 2 * HIDDEN] = bias
    _, layers = trace(model, features)
    forget = 1 / (1 + np.exp(-bias))
    for layer in layers:
        memory = measure_memory(layer)
        # What is kept of a state after that time is 1 / e.
        frames = memory.milliseconds / 40.0
        np.testing.assert_allclose(forget**frames, np.exp(-1.0), rtol=1e-5)
        assert memory.quantile(0.1) == pytest.approx(memory.quantile(0.9), rel=1e-5)
    assert measure_memory(trace(make_model("rnn"), features)[1][0]) is None


def test_silence_voicing_and_boundaries_are_where_they_are(librivox):
    speech = load_audio(librivox[0].audio_filepath)
    seconds = len(speech) / SAMPLE_RATE
    pause = np.zeros(SAMPLE_RATE, np.float32)
    words = [Word("A", 1.2, 1.5, 1.0), Word("B", 1.7, 2.0, 1.0), Word("C", 2.0, 2.5, 1.0)]
    events = find_events(np.concatenate([pause, speech, pause]), words)
    steps = {name: event[100 : int(100 * (1 + seconds))] for name, event in events.items()}
    assert events[SILENCE][:98].min() == events[SILENCE][-98:].min() == 1.0
    assert events[VOICING][:90].max() == events[VOICING][-90:].max() == 0.0
    assert steps[SILENCE].mean() < 0.5
    assert 0.4 < steps[VOICING].mean() < 0.85
    assert np.flatnonzero(events[BOUNDARY]).tolist() == [*range(150, 170), 200]
    assert set(find_events(speech, words[:1])) == {SILENCE, VOICING}
    frames = at_frames(events[BOUNDARY], 0.08, 40)
    assert frames[18:22].tolist() == pytest.approx([0.25, 1.0, 1.0, 0.25])
    assert frames.sum() == pytest.approx(21 / 8)


def test_a_buzz_is_voiced_and_a_hiss_is_not():
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    buzz = sum(np.sin(2 * np.pi * 120 * harmonic * time) / harmonic for harmonic in range(1, 20))
    hiss = np.random.default_rng(1).standard_normal(SAMPLE_RATE)
    pause = np.zeros(SAMPLE_RATE)
    signal = np.concatenate([buzz, pause, hiss]).astype(np.float32) / 10
    voicing = find_events(signal, [])[VOICING]
    assert voicing[3:97].mean() == 1.0
    assert voicing[105:].max() == 0.0
    later = find_events(signal, [], 0.08)[VOICING]  # by half a frame
    np.testing.assert_array_equal(later[4:], voicing)


def test_the_unit_that_follows_an_event_is_found_among_others(librivox):
    speech = load_audio(librivox[0].audio_filepath)
    events = find_events(speech, [])
    frames = len(events[SILENCE]) // 8
    outputs = np.random.default_rng(1).standard_normal((frames, 200))
    outputs[:, 7] = 3.0 - at_frames(events[SILENCE], 0.08, frames)
    outputs[:, 8] = 1.0  # constant: follows nothing, and is no division by zero
    silence, voicing = correlate(outputs, events, 0.08)
    assert silence.strongest(1) == [7]
    assert silence.correlations[7] == pytest.approx(-1.0)
    assert silence.correlations[8] == 0.0
    others = np.delete(np.abs(silence.correlations), 7)
    assert others.max() < 0.6
    assert 0.2 < voicing.chance < 0.8


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    "encoder", [{}, {"stack_after": 2, "attention_window": 5}, {"bottleneck": 12}]
)
def test_costs_add_up_to_the_model(cell, encoder):
    model = make_model(cell, **encoder)
    costs = cost.measure_cost(model)
    whole = costs.total
    assert whole.parameters == sum(p.numel() for p in model.parameters())
    carried = equation_cell(model.encoder.layers[0].forwards).carried
    recurrent = [one for one in costs.layers if one.name.startswith(cell)]
    assert [one.state for one in recurrent] == [2 * carried * HIDDEN * 4] * 3
    rates = [25.0, 25.0, 12.5 if "stack_after" in encoder else 25.0]
    assert [one.rate for one in recurrent] == rates
    assert [one.held for one in recurrent] == [rate * 2 * HIDDEN * 4 for rate in rates]


@pytest.mark.parametrize(
    "encoder",
    [{}, {"stack_after": 2, "bottleneck": 9}, {"attention_window": 25, "bidirectional": False}],
)
def test_multiply_accumulates_are_those_that_torch_counts(encoder):
    model = make_model("cifg", **({"bidirectional": False} | encoder))
    seconds = 8
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 100 * seconds, 80), torch.tensor([100 * seconds]))
    found = cost.measure_cost(model).total.macs * seconds
    assert found == pytest.approx(counter.get_total_flops() / 2, rel=1e-4)


def test_the_cost_of_a_recipe_is_that_of_the_model_it_trains():
    recipe = load_recipe(RECIPE, ["units.kind=characters", "units.intermediate=phones"])
    model = cost.untrained_model(recipe)
    assert model.intermediate_head.units > model.head.units > 28  # phones and characters
    names = [one.name for one in cost.measure_cost(model).layers]
    assert [name for name in names if "head" in name] == ["intermediate head", "head"]
    bpe = cost.untrained_model(load_recipe(RECIPE, ["units.kind=bpe"]))
    assert bpe.head.units == recipe.units.size + 1
