import math

import pytest
import torch

from asr.acoustic.attention import LocalAttention


@pytest.fixture
def attention():
    torch.manual_seed(0)
    layer = LocalAttention(128, window=5)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return layer


def by_definition(layer, x):
    """One utterance, (frames, width), every pair of frames by itself."""
    frames, width = x.shape
    q, k, v = layer.query_key_value(layer.norm(x)).chunk(3, dim=-1)
    size = width // layer.heads
    mixed = torch.zeros(frames, width)
    for head in range(layer.heads):
        own = slice(head * size, (head + 1) * size)
        for t in range(frames):
            near = range(max(0, t - layer.window), min(frames, t + layer.window + 1))
            scores = torch.stack(
                [
                    q[t, own] @ k[s, own] / math.sqrt(size) + layer.bias[head, s - t + layer.window]
                    for s in near
                ]
            )
            mixed[t, own] = scores.softmax(0) @ torch.stack([v[s, own] for s in near])
    return layer.output(mixed)


def test_blocks_give_what_the_definition_says(attention):
    x = torch.randn(23, 2, 128)
    lengths = torch.tensor([23, 12])
    outputs = attention(x, lengths)
    assert outputs.shape == x.shape
    assert torch.isfinite(outputs).all()
    for b, length in enumerate(lengths.tolist()):
        expected = by_definition(attention, x[:length, b])
        torch.testing.assert_close(outputs[:length, b], expected, atol=1e-5, rtol=1e-5)


def test_it_looks_no_further_than_its_window_and_never_at_padding(attention):
    x = torch.randn(40, 1, 128)
    changed = x.clone()
    changed[20:] += 1.0
    before, after = (attention(y, torch.tensor([40])) for y in (x, changed))
    torch.testing.assert_close(before[:15], after[:15])
    assert not torch.allclose(before[15:20], after[15:20])
    short = (attention(y, torch.tensor([20])) for y in (x, changed))
    torch.testing.assert_close(*(y[:20] for y in short))


def test_a_fresh_one_adds_nothing():
    assert not LocalAttention(64, window=3)(torch.randn(9, 2, 64), torch.tensor([9, 4])).any()
