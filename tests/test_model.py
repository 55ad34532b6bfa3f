"""Padding does not exist for the result: shown on real speech, trained and untrained."""

import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from asr.acoustic.architecture import halve
from asr.acoustic.checkpoint import load_model
from asr.acoustic.network import AcousticModel, VariationalDropout, convolve_as_product
from asr.acoustic.recurrent import CELLS, RecurrentLayer, reversal, turn
from asr.audio.read import load_audio
from asr.config.schema import EncoderConfig, FrontEndConfig, ModelConfig
from asr.decoding import GreedyDecoder
from asr.features.log_mel import extract
from asr.inference.torch_engine import TorchEngine
from asr.runtime.parallel import apply_in_parallel
from asr.transcription.recogniser import Recogniser

CONFIGS = {
    "one direction": ModelConfig(encoder=EncoderConfig(layers=2, hidden=24, bidirectional=False)),
    **{cell: ModelConfig(encoder=EncoderConfig(layers=2, hidden=24, cell=cell)) for cell in CELLS},
    "attention": ModelConfig(encoder=EncoderConfig(layers=2, hidden=24, attention_window=7)),
    "stacked": ModelConfig(encoder=EncoderConfig(layers=3, hidden=24, stack_after=1)),
    "two emissions": ModelConfig(
        front_end=FrontEndConfig(channels=(4, 8, 8)),
        encoder=EncoderConfig(layers=2, hidden=24),
        emissions=2,
    ),
}


@pytest.fixture(scope="module")
def features(librivox):
    """Of the clips, and of cuts of them a quarter as long."""
    whole = [extract(torch.from_numpy(load_audio(u.audio_filepath))) for u in librivox]
    return whole + [f[: len(f) // 4 + 1] for f in whole]


@pytest.fixture(params=["bundled", *CONFIGS])
def model(request):
    if request.param == "bundled":
        return load_model().model
    torch.manual_seed(0)
    return AcousticModel(CONFIGS[request.param], 29).eval()


@torch.inference_mode()
def emissions(model, features):
    """Log-probabilities of each utterance of a batch, without its padding.

    In 64 bits up to the softmax, or rounding, which does depend on a batch's shape, would add up
    from layer to layer and hide what else there is.
    """
    features = [utterance.double() for utterance in features]
    lengths = torch.tensor([len(f) for f in features])
    result = model.double()(pad_sequence(features, batch_first=True), lengths)
    return [row[:n] for row, n in zip(result.log_probs, result.lengths.tolist(), strict=True)]


# The resolution of float32, in which the softmax is taken.
SAME = {"atol": 1e-6, "rtol": 1e-6}


def test_an_utterance_is_the_same_alone_and_at_any_place_of_any_batch(model, features):
    together = emissions(model, features)
    turned = emissions(model, features[::-1])[::-1]
    for index, utterance in enumerate(features):
        (alone,) = emissions(model, [utterance])
        assert len(alone) == model.output_length(len(utterance))
        assert alone.exp().sum(-1).sub(1.0).abs().max() < 1e-4
        torch.testing.assert_close(together[index], alone, **SAME)
        torch.testing.assert_close(turned[index], alone, **SAME)


def test_what_stands_in_the_padding_does_not_matter(model, features):
    short, long = features[1], features[0]
    lengths = torch.tensor([len(short), len(long)])
    batch = pad_sequence([short, long], batch_first=True)
    loud = batch.clone()
    loud[0, len(short) :] = 50.0
    with torch.inference_mode():
        results = [model(x, lengths) for x in (batch, loud)]
    frames = int(results[0].lengths[0])
    a, b = (result.log_probs[0, :frames] for result in results)
    torch.testing.assert_close(a, b, **SAME)


@pytest.mark.parametrize("batch_size", [4, 16])
def test_transcripts_are_the_same_at_every_batch_size(librivox, batch_size):
    checkpoint = load_model()
    tokenizer = checkpoint.tokenizer
    recogniser = Recogniser(TorchEngine(checkpoint.model), tokenizer, GreedyDecoder(tokenizer))
    signals = [load_audio(u.audio_filepath) for u in librivox]
    signals += [s[len(s) // 3 :] for s in signals] + [s[: len(s) // 2] for s in signals]
    alone = [recogniser.recognise([signal])[0][0] for signal in signals]
    texts = []
    for start in range(0, len(signals), batch_size):
        batch = recogniser.recognise(signals[start : start + batch_size])
        texts += [hypotheses[0].text for hypotheses in batch]
    assert texts == [hypothesis.text for hypothesis in alone]
    assert any(texts)


def test_one_direction_hears_nothing_of_what_comes_later(features):
    torch.manual_seed(0)
    model = AcousticModel(CONFIGS["one direction"], 29).eval()
    (whole,) = emissions(model, [features[0]])
    (begun,) = emissions(model, [features[0][:160]])
    # Two convolutions of width 3 look ahead by less than two frames of their output.
    torch.testing.assert_close(begun[:38], whole[:38], **SAME)


def test_the_intermediate_head_reads_a_lower_layer_and_has_its_own_units(features):
    config = ModelConfig(encoder=EncoderConfig(layers=2, hidden=24), intermediate_layer=1)
    model = AcousticModel(config, 29, 41).eval()
    batch, lengths = features[1][None], torch.tensor([len(features[1])])
    before = model(batch, lengths)
    assert before.head("intermediate").shape == (1, model.output_length(len(features[1])), 41)
    torch.nn.init.zeros_(model.encoder.norms[1].weight)  # the upper layer
    after = model(batch, lengths)
    assert torch.equal(before.head("intermediate"), after.head("intermediate"))
    assert not torch.equal(before.head("main"), after.head("main"))


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_both_directions_equal_torchs_own_bidirectional_layer(cell):
    torch.manual_seed(0)
    layer = RecurrentLayer(cell, 10, 12, bidirectional=True)
    kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[cell]
    reference = kind(10, 12, bidirectional=True)
    weights = {}
    for half, suffix in ((layer.forwards, ""), (layer.backwards, "_reverse")):
        weights |= {f"{name}{suffix}": p for name, p in half.layer.state_dict().items()}
    reference.load_state_dict(weights)
    lengths = torch.tensor([9, 20, 14])
    inputs = torch.randn(20, 3, 10)
    packed = torch.nn.utils.rnn.pack_padded_sequence(inputs, lengths, enforce_sorted=False)
    expected, _ = torch.nn.utils.rnn.pad_packed_sequence(reference(packed)[0])
    outputs = layer(inputs, reversal(lengths, 20))
    for column, length in enumerate(lengths.tolist()):
        torch.testing.assert_close(outputs[:length, column], expected[:length, column])


def test_turning_round_hands_gradients_back_to_their_frames():
    order = reversal(torch.tensor([3, 5]), 6)
    inputs = torch.randn(6, 2, 4, requires_grad=True)
    weights = torch.randn(6, 2, 4)
    (turn(inputs, order) * weights).sum().backward()
    assert torch.equal(inputs.grad[:3, 0], weights[:3, 0].flip(0))
    assert torch.equal(inputs.grad[:5, 1], weights[:5, 1].flip(0))
    assert torch.equal(inputs.grad[5], weights[5])


@pytest.mark.parametrize("shape", [(2, 17, 80), (1, 40, 21)])
def test_a_convolution_can_be_a_product(shape):
    torch.manual_seed(0)
    convolution = torch.nn.Conv2d(1, 8, kernel_size=3, stride=2, padding=1)
    x = torch.randn(shape)[:, None]
    expected = convolution(x)
    product = convolve_as_product(convolution, x)
    torch.testing.assert_close(product, expected)
    wanted = list(convolution.parameters())
    for a, b in zip(
        torch.autograd.grad(product.square().sum(), wanted),
        torch.autograd.grad(expected.square().sum(), wanted),
        strict=True,
    ):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def test_side_by_side_gives_what_one_after_the_other_gives():
    torch.manual_seed(0)
    modules = torch.nn.LSTM(40, 40), torch.nn.LSTM(40, 40)
    inputs = torch.randn(9, 3, 40), torch.randn(9, 3, 40)
    cells = tuple(map(_Outputs, modules))
    threads = torch.get_num_threads()
    try:
        with torch.inference_mode():
            torch.set_num_threads(2)
            parallel = apply_in_parallel(cells, inputs)
            torch.set_num_threads(1)
            serial = apply_in_parallel(cells, inputs)
    finally:
        torch.set_num_threads(threads)
    for a, b in zip(parallel, serial, strict=True):
        assert torch.equal(a, b)


class _Outputs(torch.nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, inputs):
        return self.layer(inputs)[0]


def test_variational_dropout_drops_whole_channels_and_keeps_the_mean():
    torch.manual_seed(0)
    dropout = VariationalDropout(0.25)
    x = torch.ones(7, 50, 40)
    dropped = dropout(x)
    assert torch.equal(dropped, dropped[:1].expand_as(dropped))
    assert dropped.unique().tolist() == [0.0, pytest.approx(1 / 0.75)]
    assert dropped.mean() == pytest.approx(1.0, abs=0.05)
    assert dropout.eval()(x) is x


@pytest.mark.parametrize(("before", "after"), [(1, 1), (2, 1), (3, 2), (80, 40), (81, 41)])
def test_halved_is_what_the_convolution_leaves(before, after):
    convolution = torch.nn.Conv1d(1, 1, kernel_size=3, stride=2, padding=1)
    assert halve(before) == after == convolution(torch.zeros(1, 1, before)).shape[-1]
