"""Log-mel features: what the acoustic model sees of a signal.

Normalisation policy: an utterance is brought to one level; from every mel bin its mean over the
utterance is taken off, and all bins are divided by one constant. Level and mean carry voice and
microphone, not words. Both are computed from the utterance alone, before any batch exists, so
padding and neighbours can't reach them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from asr.audio import SAMPLE_RATE

Count = TypeVar("Count", int, Tensor)

WINDOW = 400  # samples, 25 ms
HOP = 160  # samples, 10 ms
FRAMES_PER_SECOND = SAMPLE_RATE / HOP

_FLOOR = 1e-6  # added to the power: keeps the logarithm of digital silence finite
_LEVEL = 0.06  # root mean square of an utterance: read speech as most people record it
_MOST_GAIN = 30.0  # what is softer than a thirtieth of that may be no speech
_SPEECH_TOP = 4800.0  # Hz; no formant that matters lies above
_SCALE = 3.0  # the spread of log-mel values of read speech, so that features come out near 1


def log_mel(samples: Tensor, bins: int = 80, warp: float = 1.0) -> Tensor:
    """The natural logarithm of the mel power spectrum.

    Hann window of 25 ms every 10 ms, centred on multiples of the hop with zeros beyond the ends;
    mel filters on Slaney's scale with unit area up to 8 kHz (librosa's defaults).

    Args:
        samples: 16 kHz signal, shape (samples,).
        bins: how many mel filters.
        warp: how much shorter than the speaker's the vocal tract is to seem.

    Returns:
        shape (frames, bins) with frames = 1 + samples // 160.
    """
    spectrum = torch.stft(
        samples, WINDOW, HOP, window=_window(), pad_mode="constant", return_complex=True
    )
    power = torch.view_as_real(spectrum).square().sum(-1)  # (201, frames)
    return torch.log(power.T @ _filters(bins, warp) + _FLOOR)


def normalise(features: Tensor) -> Tensor:
    """Applies the policy above to the features of one whole utterance, shape (frames, bins)."""
    return (features - features.mean(dim=0)) / _SCALE


def at_one_level(samples: Tensor) -> Tensor:
    """The utterance, shape (samples,), as loud as any other: the floor is then as far below it."""
    # Summed in float64: however the sum is parted among threads, the gain is the same float32.
    level = math.sqrt(samples.double().square().sum().item() / max(1, len(samples)))
    return samples * min(_LEVEL / level, _MOST_GAIN) if level else samples


def extract(samples: Tensor, bins: int = 80, warp: float = 1.0) -> Tensor:
    """Normalised log-mel features of one utterance, shape (frames, bins)."""
    return normalise(log_mel(at_one_level(samples), bins, warp))


def extract_together(
    signals: Tensor, samples: Sequence[int], bins: int = 80, warps: Sequence[float] | None = None
) -> tuple[Tensor, Tensor]:
    """Normalised log-mel features of several utterances, made where the signals are.

    On the CPU one by one, the same to the bit as :func:`extract`; on a GPU all at once.

    Args:
        signals: 16 kHz, shape (utterances, samples), zero beyond each one's end.
        samples: of each utterance.
        warps: of each utterance's vocal tract.

    Returns:
        shape (utterances, frames, bins), zero beyond each one's frames; and these, (utterances,).
    """
    lengths = torch.tensor([feature_frames(count) for count in samples], device=signals.device)
    warps = warps or [1.0] * len(samples)
    if signals.is_cuda:
        return extract_at_once(signals, samples, bins, warps), lengths
    each = zip(signals, samples, warps, strict=True)
    features = [extract(signal[:count], bins, warp) for signal, count, warp in each]
    return pad_sequence(features, batch_first=True), lengths


def extract_at_once(
    signals: Tensor, samples: Sequence[int], bins: int, warps: Sequence[float]
) -> Tensor:
    """The features of :func:`extract_together`, for a device that is slow to be told what to do."""
    device = signals.device
    counts = torch.tensor(samples, device=device)
    level = (signals.double().square().sum(1) / counts.clamp(min=1)).sqrt().float()
    gain = (_LEVEL / level).clamp(max=_MOST_GAIN)  # of silence, anything
    spectra = torch.stft(
        signals * gain[:, None],
        WINDOW,
        HOP,
        window=_window().to(device),
        pad_mode="constant",
        return_complex=True,
    )
    power = torch.view_as_real(spectra).square().sum(-1)  # (utterances, 201, frames)
    filters = torch.stack([_filters_on(device, bins, warp) for warp in warps])
    features = torch.log(power.transpose(1, 2) @ filters + _FLOOR)
    frames = feature_frames(counts)
    inside = torch.arange(features.shape[1], device=device) < frames[:, None]
    mean = (features * inside[:, :, None]).sum(1) / frames[:, None]
    return (features - mean[:, None]) / _SCALE * inside[:, :, None]


def feature_frames(samples: Count) -> Count:
    """How many feature frames that many samples give."""
    return 1 + samples // HOP


@functools.cache
def _window() -> Tensor:
    return torch.hann_window(WINDOW)


@functools.cache
def _filters(bins: int, warp: float) -> Tensor:
    """Triangular mel filters, shape (201, bins), at frequencies divided by ``warp``.

    Built in float64: torchaudio builds the same ones in float32, and the rounding moves a quiet
    bin beside a loud one by up to 3e-4.
    """
    top = _hertz_to_mel(torch.tensor(SAMPLE_RATE / 2, dtype=torch.float64))
    edges = _mel_to_hertz(torch.linspace(0.0, float(top), bins + 2, dtype=torch.float64))
    edges = _warp(edges, 1.0 / warp)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    hertz = torch.linspace(0.0, SAMPLE_RATE / 2, WINDOW // 2 + 1, dtype=torch.float64)[:, None]
    rising = (hertz - lower) / (centre - lower)
    falling = (upper - hertz) / (upper - centre)
    triangles = torch.minimum(rising, falling).clamp(min=0.0)
    return (triangles * 2.0 / (upper - lower)).float()


@functools.cache
def _filters_on(device: torch.device, bins: int, warp: float) -> Tensor:
    return _filters(bins, warp).to(device)


def _warp(hertz: Tensor, factor: float) -> Tensor:
    """Stretches frequencies by ``factor`` in the range of speech and leaves both ends in place.

    Above the knee a second line leads to the end of the band (Jaitly and Hinton 2013, section 3).
    """
    knee = _SPEECH_TOP * min(factor, 1.0) / factor
    top = SAMPLE_RATE / 2
    slope = (top - factor * knee) / (top - knee)
    return torch.where(hertz <= knee, factor * hertz, top - slope * (top - hertz))


# Slaney's mel scale (Auditory Toolbox, 1998): linear up to 1 kHz, logarithmic above.
_HERTZ_PER_MEL = 200.0 / 3.0
_KNEE = 1000.0  # Hz
_LOG_STEP = math.log(6.4) / 27.0


def _hertz_to_mel(hertz: Tensor) -> Tensor:
    above = _KNEE / _HERTZ_PER_MEL + torch.log(hertz.clamp(min=_KNEE) / _KNEE) / _LOG_STEP
    return torch.where(hertz < _KNEE, hertz / _HERTZ_PER_MEL, above)


def _mel_to_hertz(mel: Tensor) -> Tensor:
    knee = _KNEE / _HERTZ_PER_MEL
    above = _KNEE * torch.exp(_LOG_STEP * (mel - knee).clamp(min=0.0))
    return torch.where(mel < knee, mel * _HERTZ_PER_MEL, above)
