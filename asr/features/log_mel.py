"""Log-mel features in torch, the input of the acoustic model.

Normalisation: an utterance is scaled to one level, each mel bin loses its mean over the utterance,
and all bins are divided by one constant. Level and mean carry voice and microphone, not words. Both
come from the utterance alone, before batching, so padding and neighbours can't change them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from asr.features.mel import (
    FLOOR,
    HOP,
    LEVEL,
    MOST_GAIN,
    SPREAD,
    WINDOW,
    feature_frames,
    filters,
    gain,
)


def log_mel(samples: Tensor, bins: int = 80, warp: float = 1.0) -> Tensor:
    """The natural logarithm of the mel power spectrum.

    Hann window of 25 ms every 10 ms, centred on multiples of the hop with zeros beyond the ends;
    mel filters on Slaney's scale with unit area up to 8 kHz (librosa's defaults).

    Args:
        samples: 16 kHz signal, shape (samples,).
        bins: number of mel filters.
        warp: factor by which the vocal tract appears shorter than the speaker's.

    Returns:
        shape (frames, bins) with frames = 1 + samples // 160.
    """
    spectrum = torch.stft(
        samples, WINDOW, HOP, window=_window(), pad_mode="constant", return_complex=True
    )
    power = torch.view_as_real(spectrum).square().sum(-1)  # (201, frames)
    return torch.log(power.T @ _filters(samples.device, bins, warp) + FLOOR)


def normalise(features: Tensor) -> Tensor:
    """Normalises the log-mel features of one whole utterance, shape (frames, bins)."""
    return (features - features.mean(dim=0)) / SPREAD


def normalise_level(samples: Tensor) -> Tensor:
    """Scales an utterance, shape (samples,), to one level, at a fixed distance from the floor."""
    # Summed in float64: the gain is then the same float32 for any number of threads.
    level = math.sqrt(samples.double().square().sum().item() / max(1, len(samples)))
    return samples * gain(level)


def extract(samples: Tensor, bins: int = 80, warp: float = 1.0) -> Tensor:
    """Normalised log-mel features of one utterance, shape (frames, bins)."""
    return normalise(log_mel(normalise_level(samples), bins, warp))


def extract_batch(
    signals: Tensor, samples: Sequence[int], bins: int = 80, warps: Sequence[float] | None = None
) -> tuple[Tensor, Tensor]:
    """Normalised log-mel features of several utterances, on the signals' device.

    The CPU extracts one by one, the same to the bit as :func:`extract`; a GPU extracts all at once.

    Args:
        signals: 16 kHz, shape (utterances, samples), zero beyond each one's end.
        samples: of each utterance.
        warps: of each utterance's vocal tract.

    Returns:
        Features (utterances, frames, bins), zero beyond each one's frames; frames (utterances,).
    """
    lengths = torch.tensor([feature_frames(count) for count in samples], device=signals.device)
    warps = warps or [1.0] * len(samples)
    if signals.is_cuda:
        return extract_batch_fused(signals, samples, bins, warps), lengths
    each = zip(signals, samples, warps, strict=True)
    features = [extract(signal[:count], bins, warp) for signal, count, warp in each]
    return pad_sequence(features, batch_first=True), lengths


def extract_batch_fused(
    signals: Tensor, samples: Sequence[int], bins: int, warps: Sequence[float]
) -> Tensor:
    """The features of :func:`extract_batch` in few large operations, for devices slow to launch."""
    device = signals.device
    counts = torch.tensor(samples, device=device)
    level = (signals.double().square().sum(1) / counts.clamp(min=1)).sqrt().float()
    gains = (LEVEL / level).clamp(max=MOST_GAIN)  # silence: any finite gain
    spectra = torch.stft(
        signals * gains[:, None],
        WINDOW,
        HOP,
        window=_window().to(device),
        pad_mode="constant",
        return_complex=True,
    )
    power = torch.view_as_real(spectra).square().sum(-1)  # (utterances, 201, frames)
    mel_filters = torch.stack([_filters(device, bins, warp) for warp in warps])
    features = torch.log(power.transpose(1, 2) @ mel_filters + FLOOR)
    frames = feature_frames(counts)
    inside = torch.arange(features.shape[1], device=device) < frames[:, None]
    mean = (features * inside[:, :, None]).sum(1) / frames[:, None]
    return (features - mean[:, None]) / SPREAD * inside[:, :, None]


@functools.cache
def _window() -> Tensor:
    return torch.hann_window(WINDOW)


@functools.cache
def _filters(device: torch.device, bins: int, warp: float) -> Tensor:
    return torch.from_numpy(filters(bins, warp)).to(device)
