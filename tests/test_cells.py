"""Cells by their equations against torch's sealed kernels and ONNX Runtime's operators."""

import numpy as np
import pytest
import torch

from asr.acoustic.cells import CoupledLstm, Gru, Lstm, PeepholeLstm, Rnn, Unrolled
from asr.acoustic.checkpoint import load_model
from asr.acoustic.recurrent import reversal, turn
from asr.audio.read import load_audio
from asr.features.log_mel import extract

TORCHS = [(Lstm, torch.nn.LSTM), (Gru, torch.nn.GRU), (Rnn, torch.nn.RNN)]
TORCHS_NAMES = {"W": "weight_ih", "U": "weight_hh", "b": "bias_ih", "u": "bias_hh"}
PRECISIONS = [(torch.float32, 1e-5), (torch.float64, 1e-10)]


@pytest.fixture(scope="module")
def frames(librivox):
    """Log-mel frames of three clips, ragged: (frames, batch, bins), and their lengths."""
    clips = [extract(torch.from_numpy(load_audio(clip.audio_filepath))) for clip in librivox[:3]]
    clips = [clip[: 60 + 25 * number] for number, clip in enumerate(clips)]
    return torch.nn.utils.rnn.pad_sequence(clips), torch.tensor([len(clip) for clip in clips])


def assert_same(ours, reference, inputs, lengths, near):
    """Outputs, last states and gradients of a bidirectional layer of torch and of our cell.

    Gradients are sums over all frames, so those of each kind are measured by their largest one.
    """
    hidden = reference.hidden_size
    inputs = inputs.detach().clone().requires_grad_()
    packed = torch.nn.utils.rnn.pack_padded_sequence(inputs, lengths, enforce_sorted=False)
    packed, last = reference(packed)
    last = last if isinstance(last, tuple) else (last,)
    expected = torch.nn.utils.rnn.pad_packed_sequence(packed)[0]
    aim = torch.randn_like(expected)
    names = ["x", *dict(reference.named_parameters())]
    wanted = torch.autograd.grad(expected, (inputs, *reference.parameters()), aim)
    wanted_of = dict(zip(names, wanted, strict=True))

    order = reversal(lengths, len(inputs))
    within = (torch.arange(len(inputs))[:, None] < lengths)[:, :, None]
    gradient_of = {"x": torch.zeros_like(inputs)}
    for suffix, half in (("_l0", slice(hidden)), ("_l0_reverse", slice(hidden, None))):
        cell = ours(reference.input_size, hidden).to(inputs.dtype)
        cell.load_torch(reference.state_dict(), suffix)
        turned = inputs if suffix == "_l0" else turn(inputs, order)
        states = Unrolled(cell).states(turned)
        for number, final in enumerate(last):
            at_end = torch.stack([states[n - 1][number][b] for b, n in enumerate(lengths.tolist())])
            torch.testing.assert_close(at_end, final[int(suffix != "_l0")], atol=near, rtol=near)
        outputs = torch.stack([state[0] for state in states])
        outputs = (outputs if suffix == "_l0" else turn(outputs, order)) * within
        torch.testing.assert_close(outputs, expected[..., half], atol=near, rtol=near)
        found = torch.autograd.grad(outputs, (inputs, *cell.parameters()), aim[..., half])
        gradient_of["x"] += found[0]
        for name, gradient in zip(dict(cell.named_parameters()), found[1:], strict=True):
            gradient_of[TORCHS_NAMES[name] + suffix] = gradient
    assert len(gradient_of) >= 7
    for name, gradient in gradient_of.items():
        of_torch = wanted_of[name]
        if name.startswith("bias_hh"):  # the GRU's u, the last third of it
            of_torch = of_torch[-len(gradient) :]
        scale = of_torch.abs().max()
        torch.testing.assert_close(gradient / scale, of_torch / scale, atol=near, rtol=0.0)


@pytest.mark.parametrize(("ours", "torchs"), TORCHS)
@pytest.mark.parametrize(("dtype", "near"), PRECISIONS)
def test_outputs_states_and_gradients_are_torchs(ours, torchs, dtype, near, frames):
    torch.manual_seed(0)
    reference = torchs(80, 24, bidirectional=True).to(dtype)
    assert_same(ours, reference, frames[0].to(dtype), frames[1], near)


@pytest.mark.parametrize(("dtype", "near"), PRECISIONS)
def test_the_trained_layers_are_the_same_by_their_equations(dtype, near, librivox):
    model = load_model().model
    if model.config.encoder.cell != "lstm" or not model.config.encoder.bidirectional:
        pytest.skip("the bundled model is no bidirectional LSTM")
    clips = [extract(torch.from_numpy(load_audio(clip.audio_filepath))) for clip in librivox[1:4]]
    given = []
    for layer in model.encoder.layers:
        layer.register_forward_pre_hook(lambda _, arguments: given.append(arguments[0]))
    with torch.no_grad():
        frames = torch.tensor([len(clip) for clip in clips])
        model(torch.nn.utils.rnn.pad_sequence(clips, batch_first=True), frames)
        lengths = model.front_end(torch.zeros(3, int(frames.max()), 80), frames)[1]
    for layer, inputs in zip(model.encoder.layers, given, strict=True):
        weights = dict(layer.forwards.layer.state_dict())
        weights |= {f"{k}_reverse": v for k, v in layer.backwards.layer.state_dict().items()}
        fused = layer.forwards.layer
        reference = torch.nn.LSTM(fused.input_size, fused.hidden_size, bidirectional=True)
        reference.load_state_dict(weights)
        if len(inputs) < int(lengths.max()):
            lengths = (lengths + 1) // 2  # behind encoder.stack_after
        assert_same(Lstm, reference.to(dtype), inputs.to(dtype), lengths, near)


@pytest.mark.parametrize(("ours", "torchs"), TORCHS)
def test_weights_are_given_back(ours, torchs, frames):
    torch.manual_seed(0)
    reference, copy = torchs(80, 16), torchs(80, 16)
    cell = ours(80, 16)
    cell.load_torch(reference.state_dict())
    copy.load_state_dict(cell.to_torch())
    torch.testing.assert_close(copy(frames[0])[0], reference(frames[0])[0])


@pytest.mark.parametrize("ours", [Lstm, PeepholeLstm, CoupledLstm])
def test_the_lstms_are_those_of_onnx_runtime(ours, frames):
    onnx = pytest.importorskip("onnx", reason="onnx makes the reference graph")
    runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is the reference")
    torch.manual_seed(0)
    cell = ours(80, 12)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.uniform_(-0.5, 0.5)
    blocks = dict(zip(cell.blocks, range(len(cell.blocks)), strict=True))

    def rows(matrix):
        """In ONNX's order i, o, f, c; a coupled forget gate is computed but not used."""
        parts = matrix.detach().chunk(len(blocks))
        return torch.cat([parts[blocks.get(name, 0)] for name in ("i", "o", "f", "c~")])[None]

    weights = {
        "W": rows(cell.W),
        "R": rows(cell.U),
        "B": torch.cat([rows(cell.b), torch.zeros(1, 48)], dim=1),
    }
    names = ["X", "W", "R", "B", "", "", ""]
    if ours is PeepholeLstm:
        p_i, p_f, p_o = cell.p.detach()
        weights["P"] = torch.cat([p_i, p_o, p_f])[None]
        names.append("P")
    node = onnx.helper.make_node(
        "LSTM", names, ["Y"], hidden_size=12, input_forget=int(ours is CoupledLstm)
    )
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [node],
        "lstm",
        [value("X", onnx.TensorProto.FLOAT, [None, None, 80])],
        [value("Y", onnx.TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(w.numpy(), name) for name, w in weights.items()],
    )
    opsets = [onnx.helper.make_opsetid("", 14)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)
    session = runtime.InferenceSession(model.SerializeToString())
    (expected,) = session.run(None, {"X": frames[0].numpy()})
    outputs = Unrolled(cell)(frames[0]).detach().numpy()
    np.testing.assert_allclose(outputs, expected[:, 0], atol=1e-5)
