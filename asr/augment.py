"""What training hears differently in every epoch: speed, and masked stretches of the features."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor
from torchaudio.functional import mask_along_axis
from torchaudio.transforms import Speed

from asr.audio import SAMPLE_RATE
from asr.config import AugmentConfig
from asr.features import FRAMES_PER_SECOND


def change_speed(samples: Tensor, factor: float) -> Tensor:
    """Plays ``samples`` faster by ``factor``, pitch included (Ko et al. 2015)."""
    if factor == 1.0:
        return samples
    changed: Tensor = _speed(factor)(samples)[0]
    return changed


def mask(features: Tensor, config: AugmentConfig) -> Tensor:
    """SpecAugment without time warping (Park et al. 2019), from torch's random state.

    Args:
        features: normalised features of one utterance, shape (frames, bins); masked parts become
            0, the utterance's mean. The number of time masks grows with the utterance.
    """
    image = features.T[None]  # (1, bins, frames)
    for _ in range(config.frequency_masks):
        image = mask_along_axis(image, config.frequency_width, 0.0, axis=1)
    seconds = len(features) / FRAMES_PER_SECOND
    for _ in range(math.ceil(seconds * config.time_masks_per_second)):
        image = mask_along_axis(image, config.time_width, 0.0, axis=2)
    return image[0].T


@functools.cache
def _speed(factor: float) -> torch.nn.Module:
    speed: torch.nn.Module = Speed(SAMPLE_RATE, factor)
    return speed
