"""Vanishing and exploding gradients, measured on real speech.

The gradient of a loss at frame t with respect to the input at t - k is a product of k Jacobians of
the cell. Where these shrink a vector, it vanishes exponentially in k; where they stretch it, it
explodes (Hochreiter 1991; Bengio et al. 1994; Pascanu et al. 2013). Clipping scales a gradient that
is too long: it bounds an explosion and keeps the slope of the curve.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from asr.acoustic.checkpoint import Checkpoint
from asr.acoustic.network import AcousticModel
from asr.acoustic.recurrent import CELLS, RecurrentLayer
from asr.audio.read import Samples
from asr.config.schema import TrainConfig
from asr.errors import AsrError
from asr.features.log_mel import extract
from asr.features.mel import FRAMES_PER_SECOND, HOP
from asr.inspection.trace import Array
from asr.runtime.files import atomic

FRAMES = 300  # the largest k, in frames of 10 ms
AT = 400  # index of frame t in a window
FAINT = 1e-3  # relative to k = 0: too weak to learn from
CLIP_NORM: float = TrainConfig.model_fields["clip_norm"].default

_LENGTH = 501  # of a window: its edges are far from the measured frames
_WINDOWS = 16  # least number of windows to average over
_BINS = 80
_HIDDEN = 320
_UNITS = 29  # characters and the blank
_MILLISECONDS = 1000.0 / FRAMES_PER_SECOND


@dataclass(frozen=True)
class Curve:
    """The gradient of one network against k."""

    network: str
    weights: str  # start or trained
    norms: Array  # of d loss_t / d x_{t-k}, mean over places t, shape (frames + 1,), k = 0 first
    scale: float  # the factor of clipping, 1 without

    @property
    def name(self) -> str:
        return f"{self.network}, {self.weights}"

    @property
    def clipped(self) -> Array:
        """The norms with clipping."""
        return self.norms * self.scale

    def reach(self, fraction: float = FAINT) -> int | None:
        """The first k whose norm is below ``fraction`` of that at k = 0; None if no norm is."""
        below = self.norms < fraction * self.norms[0]
        return int(below.argmax()) if below.any() else None


class Network(nn.Module):
    """A network whose gradients are measured."""

    bins = _BINS

    def forward(self, features: Tensor) -> Tensor:
        """(batch, frames, bins) to the logits of frame :data:`AT`, (batch, units)."""
        raise NotImplementedError


class SingleLayer(Network):
    """One recurrent layer that reads log-mel frames from left to right, and a linear head.

    Its weights are those at the start of training, with the recurrent ones, U, scaled by a gain.
    """

    def __init__(self, cell: str, gain: float = 1.0) -> None:
        super().__init__()
        self.layer = RecurrentLayer(cell, _BINS, _HIDDEN, bidirectional=False)
        self.head = nn.Linear(_HIDDEN, _UNITS)
        with torch.no_grad():
            for name, weights in self.layer.named_parameters():
                if name.endswith((".U", ".weight_hh_l0")):
                    weights.mul_(gain)

    def forward(self, features: Tensor) -> Tensor:
        read = features[:, : AT + 1].transpose(0, 1)
        logits: Tensor = self.head(self.layer.forwards(read)[-1])
        return logits


class WholeModel(Network):
    """An acoustic model from features to its main head."""

    def __init__(self, model: AcousticModel) -> None:
        super().__init__()
        self.model = model.eval()
        self.bins = model.config.mel_bins

    def forward(self, features: Tensor) -> Tensor:
        lengths = torch.full((len(features),), features.shape[1])
        log_probs: Tensor = self.model(features, lengths).log_probs
        return log_probs[:, int(AT / self.model.frames_per_emission)]


def single_layer(cell: str, gain: float = 1.0, seed: int = 1) -> SingleLayer:
    """A layer of ``cell`` at the start of training.

    Raises:
        AsrError: there is no such cell.
    """
    if cell not in CELLS:
        raise AsrError(f"there is no cell {cell!r}; choose from {', '.join(CELLS)}")
    torch.manual_seed(seed)
    return SingleLayer(cell, gain)


def untrained(checkpoint: Checkpoint, seed: int = 1) -> AcousticModel:
    """The model of a checkpoint with its initial weights."""
    torch.manual_seed(seed)
    units = len(checkpoint.tokenizer), len(checkpoint.intermediate_tokenizer)
    return AcousticModel(checkpoint.model.config, *units)


def is_long_enough(signal: Samples) -> bool:
    """Whether a signal is long enough for a window."""
    return 1 + len(signal) // HOP >= _LENGTH


def cut_windows(signals: Sequence[Samples], bins: int = _BINS) -> Tensor:
    """Cuts evenly spaced windows around frames t.

    Args:
        signals: 16 kHz, at least one, each :func:`is_long_enough`.
        bins: of the features.

    Returns:
        Features, each utterance normalised as a whole: (windows, frames, bins), with t at frame
        :data:`AT`.
    """
    each = -(-_WINDOWS // len(signals))
    windows = []
    for signal in signals:
        features = extract(torch.from_numpy(signal), bins)
        last = len(features) - _LENGTH
        for start in dict.fromkeys(np.linspace(0, last, each).astype(int).tolist()):
            windows.append(features[start : start + _LENGTH])
    return torch.stack(windows)


def measure(
    network: Network, features: Tensor, clip_norm: float = CLIP_NORM, seed: int = 1
) -> tuple[Array, float]:
    """The gradient of the loss at t with respect to each input up to t.

    CTC gives no frame a target of its own, so the loss at t is the negative log-probability of a
    random unit; the choice hardly affects the course over k. Computed in float64: norms may fall
    far below the range of float32.

    Args:
        network: is converted to float64.
        features: from :func:`cut_windows`.
        clip_norm: the norm of the gradient of all parameters, of the mean loss over all windows,
            above which training scales it down to this norm.
        seed: of the units.

    Returns:
        The mean norm at every k, and the factor of clipping.
    """
    network.double()
    inputs = features.double().requires_grad_()
    logits = network(inputs)
    units = torch.randint(
        logits.shape[1], (len(logits),), generator=torch.Generator().manual_seed(seed)
    )
    loss = functional.cross_entropy(logits, units)
    input_gradient, *weight_gradients = torch.autograd.grad(
        loss, [inputs, *network.parameters()], allow_unused=True
    )
    norm = nn.utils.get_total_norm([g for g in weight_gradients if g is not None])
    norms = len(features) * input_gradient.norm(dim=-1).mean(dim=0)  # undoes the mean over windows
    by_distance = norms[AT - FRAMES : AT + 1].flip(0).numpy()
    return by_distance, min(1.0, clip_norm / max(float(norm), 1e-300))


def write_csv(path: str | Path, curves: Sequence[Curve]) -> None:
    """Writes curves as CSV, one line per network, weights and k."""
    with atomic(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["network", "weights", "k", "milliseconds", "norm", "norm_clipped"])
        for curve in curves:
            for k, pair in enumerate(zip(curve.norms, curve.clipped, strict=True)):
                numbers = (f"{number:.6g}" for number in pair)
                writer.writerow([curve.network, curve.weights, k, k * _MILLISECONDS, *numbers])
