"""Channels of a recording to one: their mean, or an aligned sum where the mean cancels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from asr.errors import AsrError

# The mean of n independent channels has 1 / n of their power. Below this part of that, channels
# cancel each other: one of them is wired upside down.
_CANCELLED = 0.1
_LOUDEST = 1e6  # far beyond full scale, even at 32768; the features' squares stay finite


class Mixdown:
    """Mixes blocks of a recording to mono, or selects a channel.

    Args:
        name: of the file, for errors.
        channel: counted from 1; None for all.
    """

    def __init__(self, name: object, channel: int | None) -> None:
        self._name = name
        self._channel = channel
        self._signs = np.ones(0, np.float32)  # of channels; none until some cancel each other

    def __call__(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mixes a block, shape (samples, channels).

        Raises:
            AsrError: the block lacks the channel, or holds samples that are no audio.
        """
        mono = self._mix(block) if self._channel is None else self._select(block, self._channel)
        if not np.isfinite(mono).all():
            raise AsrError(f"{self._name} holds samples that are not finite numbers")
        if mono.max(initial=0.0) > _LOUDEST or mono.min(initial=0.0) < -_LOUDEST:
            raise AsrError(
                f"{self._name} holds samples beyond any scale of audio; is its header right?"
            )
        return mono

    def _select(self, block: NDArray[np.float32], channel: int) -> NDArray[np.float32]:
        channels = block.shape[1]
        if not 1 <= channel <= channels:
            count = f"{channels} channel" + ("s" if channels > 1 else "")
            raise AsrError(f"{self._name} has {count}: there is no channel {channel}")
        return np.ascontiguousarray(block[:, channel - 1])

    def _mix(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        with np.errstate(invalid="ignore", over="ignore"):  # of infinities, found later
            mean: NDArray[np.float32] = block.mean(axis=1, dtype=np.float32)
        channels = block.shape[1]
        if channels == 1 or len(block) == 0:
            return mean
        powers = np.square(block, dtype=np.float64).mean(axis=0)
        if not np.isfinite(powers).all():
            return mean
        left = float(np.square(mean, dtype=np.float64).mean())
        if left < _CANCELLED * float(powers.mean()) / channels:
            loudest = block[:, int(powers.argmax())].astype(np.float64)
            self._signs = np.where(loudest @ block < 0, -1.0, 1.0).astype(np.float32)
        elif len(self._signs) != channels:
            return mean
        mixed: NDArray[np.float32] = (block * self._signs).mean(axis=1, dtype=np.float32)
        return mixed
