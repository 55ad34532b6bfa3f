"""A training batch: signals, masks, targets.

A loader process may make a batch; features are extracted from its signals on the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from numpy.typing import NDArray
from torch import Tensor

from asr.features.log_mel import extract_batch


class _Tensors:
    """Base of dataclasses of small tensors."""

    def to(self, device: torch.device) -> Self:
        return type(self)(*(tensor.to(device, non_blocking=True) for tensor in self._all()))

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickled by value: torch would pass each tensor through a file of its own, and wait for it.
        return _restore, (type(self), [tensor.numpy() for tensor in self._all()])

    def _all(self) -> list[Tensor]:
        return [getattr(self, name) for name in self.__dataclass_fields__]  # type: ignore[attr-defined]


def _restore(kind: type[_Tensors], arrays: list[NDArray[Any]]) -> _Tensors:
    return kind(*map(torch.from_numpy, arrays))


@dataclass(frozen=True)
class Targets(_Tensors):
    """The target units of the utterances of a batch."""

    units: Tensor  # of all utterances, one after another
    lengths: Tensor  # units of each utterance, (batch,)

    @classmethod
    def of(cls, sequences: Sequence[Sequence[int]]) -> Targets:
        units = torch.tensor([unit for sequence in sequences for unit in sequence])
        return cls(units, torch.tensor([len(sequence) for sequence in sequences]))

    def of_rows(self, rows: Tensor) -> Targets:
        """The targets of some utterances of the batch."""
        each = torch.split(self.units, self.lengths.tolist())
        return Targets(torch.cat([each[row] for row in rows.tolist()]), self.lengths[rows])


@dataclass(frozen=True)
class Masks(_Tensors):
    """Masks over features: 0 where a frame or a bin is masked, else 1."""

    frames: Tensor  # (views * utterances, frames)
    bins: Tensor  # (views * utterances, bins)


@dataclass(frozen=True)
class Batch:
    """Utterances padded to the longest; with two views, first of all, then second of all."""

    signals: Tensor  # (utterances, samples)
    samples: tuple[int, ...]  # of each utterance
    warps: tuple[float, ...]  # factor of each utterance's frequencies
    masks: Masks
    targets: Targets
    intermediate: Targets  # of the intermediate head; unused without one
    seconds: float  # of audio, padding not counted
    views: int = 1

    def features(self) -> tuple[Tensor, Tensor]:
        """Extracts masked log-mel features on the batch's device.

        Returns:
            Features, shape (views * utterances, frames, bins), and the number of frames of each,
            shape (views * utterances,). Masked parts and padding are 0, an utterance's mean.
        """
        bins = self.masks.bins.shape[1]
        features, lengths = extract_batch(self.signals, self.samples, bins, self.warps)
        kept = self.masks.frames[:, :, None] * self.masks.bins[:, None]
        return features.repeat(self.views, 1, 1) * kept, lengths.repeat(self.views)

    def to(self, device: torch.device) -> Batch:
        return replace(
            self,
            signals=self.signals.to(device, non_blocking=True),
            masks=self.masks.to(device),
            targets=self.targets.to(device),
            intermediate=self.intermediate.to(device),
        )

    def pin_memory(self) -> Batch:
        """Called by a loader to speed up the copy to a GPU."""
        return replace(self, signals=self.signals.pin_memory())
