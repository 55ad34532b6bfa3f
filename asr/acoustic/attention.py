"""Self-attention within a window, between recurrent layers.

A recurrent layer carries the past in one vector; attention reads the frames around directly. The
window keeps cost and memory linear in the length of the audio.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from asr.acoustic.architecture import attention_heads


class LocalAttention(nn.Module):
    """Multi-head attention (Vaswani et al. 2017) to the frames at most ``window`` away.

    Positions are relative: each head has a bias for each distance (Raffel et al. 2020, section
    2.1), so outputs do not depend on where a recording begins.

    Frames are taken in blocks as long as the window. Each block attends to itself and its two
    neighbours, which covers the window at three times the least number of products.

    Args:
        width: of inputs and outputs.
        window: frames to either side.
    """

    def __init__(self, width: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.heads = attention_heads(width)
        self.norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.output = nn.Linear(width, width)
        self.bias = nn.Parameter(torch.zeros(self.heads, 2 * window + 1))
        nn.init.zeros_(self.output.weight)  # the layer begins as the identity
        nn.init.zeros_(self.output.bias)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Computes the residual that is added to ``inputs``.

        Args:
            inputs: shape (frames, batch, width).
            lengths: frames of each utterance, shape (batch,); padding is not attended to.
        """
        frames, batch, width = inputs.shape
        size = self.window
        blocks = -(-frames // size)
        x = self.query_key_value(self.norm(inputs)).transpose(0, 1)
        x = functional.pad(x, (0, 0, 0, blocks * size - frames))
        query, key, value = x.view(batch, blocks, size, 3, self.heads, -1).permute(3, 0, 4, 1, 2, 5)
        key, value = _with_neighbours(key), _with_neighbours(value)
        scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
        seen, distance = self._visible(lengths, blocks)
        scores = scores.float() + self.bias[:, distance][:, None]
        weights = scores.masked_fill(~seen[:, None], -math.inf).softmax(-1).to(value.dtype)
        mixed = (weights @ value).permute(2, 3, 0, 1, 4).reshape(blocks * size, batch, width)
        outputs: Tensor = self.output(mixed[:frames])
        return outputs

    def _visible(self, lengths: Tensor, blocks: int) -> tuple[Tensor, Tensor]:
        """The attention mask, and the index of each pair's distance in the biases.

        Returns:
            Shapes (batch, blocks, window, 3 * window) and (window, 3 * window).
        """
        size = self.window
        here = torch.arange(size, device=lengths.device)
        there = torch.arange(3 * size, device=lengths.device) - size  # from the block's beginning
        distance = there - here[:, None]
        near = distance.abs() <= size
        at = there + size * torch.arange(blocks, device=lengths.device)[:, None]
        inside = (at >= 0) & (at < lengths[:, None, None])
        # A frame of padding attends to itself: its output is unused, but must be finite.
        seen = near & (inside[:, :, None] | (distance == 0))
        return seen, distance.clamp(-size, size) + size


def _with_neighbours(x: Tensor) -> Tensor:
    """(..., blocks, size, width) to (..., blocks, 3 * size, width): each between its neighbours."""
    padded = functional.pad(x, (0, 0, 0, 0, 1, 1))
    return torch.cat([padded[..., :-2, :, :], x, padded[..., 2:, :, :]], dim=-2)
