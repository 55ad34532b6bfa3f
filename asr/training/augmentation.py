"""Data augmentation of training: speed, channel, masks over the features."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from torch import Tensor

from asr.audio import degradation as channels
from asr.audio.read import SAMPLE_RATE, Samples
from asr.config.data import AugmentConfig
from asr.features.mel import FRAMES_PER_SECOND
from asr.runtime.torch_pair import torchaudio


def change_speed(samples: Tensor, factor: float) -> Tensor:
    """Speeds ``samples`` up by ``factor``, pitch included (Ko et al. 2015)."""
    if factor == 1.0:
        return samples
    changed: Tensor = _speed(factor)(samples)[0]
    return changed


def change_channel(samples: Samples, config: AugmentConfig, random: np.random.Generator) -> Samples:
    """Adds echo and noise and applies a telephone channel, each with a probability of its own."""
    echo, noise, telephone = random.uniform(size=3)
    if echo < config.echo:
        seconds, direct = random.uniform(0.2, 0.8), random.uniform(-3.0, 10.0)
        samples = channels.add_echo(samples, seconds, direct, random)
    if noise < config.noise:
        decibels, slope = random.uniform(5.0, 30.0), random.uniform(0.0, 2.0)
        samples = channels.add_noise(samples, decibels, slope, random)
    if telephone < config.telephone:
        samples = channels.through_telephone(samples)
    return samples


def draw_masks(
    frames: int, bins: int, config: AugmentConfig, random: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """SpecAugment without time warping (Park et al. 2019).

    The number of time masks grows with the utterance.

    Returns:
        Masks of the frames, shape (frames,), and of the bins, shape (bins,): 0 where masked,
        else 1.
    """
    time_masks = math.ceil(frames / FRAMES_PER_SECOND * config.time_masks_per_second)
    return (
        _masked(frames, time_masks, config.time_width, random),
        _masked(bins, config.frequency_masks, config.frequency_width, random),
    )


def _masked(length: int, masks: int, widest: int, random: np.random.Generator) -> Tensor:
    kept = torch.ones(length)
    widths = random.uniform(0, min(widest, length), masks)
    for start, width in zip(random.uniform(0, length - widths), widths, strict=True):
        kept[int(start) : int(start) + int(width)] = 0.0
    return kept


@functools.cache
def _speed(factor: float) -> torch.nn.Module:
    speed: torch.nn.Module = torchaudio.transforms.Speed(SAMPLE_RATE, factor)
    return speed
