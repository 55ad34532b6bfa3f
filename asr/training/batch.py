"""What a step of training takes: several utterances, masks, and what is to be recognised.

A batch is made, perhaps by a loader process, and moved to the device; only there do its signals
become features, on a GPU all of them at once.
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
    """Small tensors that belong together; their class is a dataclass."""

    def to(self, device: torch.device) -> Self:
        return type(self)(*(tensor.to(device, non_blocking=True) for tensor in self._all()))

    def __reduce__(self) -> tuple[Any, ...]:
        # From process to process by value: torch would send a file for each, and wait for it.
        return _restore, (type(self), [tensor.numpy() for tensor in self._all()])

    def _all(self) -> list[Tensor]:
        return [getattr(self, name) for name in self.__dataclass_fields__]  # type: ignore[attr-defined]


def _restore(kind: type[_Tensors], arrays: list[NDArray[Any]]) -> _Tensors:
    return kind(*map(torch.from_numpy, arrays))


@dataclass(frozen=True)
class Targets(_Tensors):
    """What is to be recognised in the utterances of a batch."""

    units: Tensor  # of all utterances, one after another
    lengths: Tensor  # units of each utterance, (batch,)

    @classmethod
    def of(cls, sequences: Sequence[Sequence[int]]) -> Targets:
        units = torch.tensor([unit for sequence in sequences for unit in sequence])
        return cls(units, torch.tensor([len(sequence) for sequence in sequences]))

    def of_rows(self, rows: Tensor) -> Targets:
        """Those of some utterances of the batch."""
        each = torch.split(self.units, self.lengths.tolist())
        return Targets(torch.cat([each[row] for row in rows.tolist()]), self.lengths[rows])


@dataclass(frozen=True)
class Masks(_Tensors):
    """What a batch lets through: 1, or 0 where it is masked."""

    frames: Tensor  # (views * utterances, frames)
    bins: Tensor  # (views * utterances, bins)


@dataclass(frozen=True)
class Batch:
    """Utterances padded to the longest of them; with two views, all once and then all again."""

    signals: Tensor  # (utterances, samples)
    samples: tuple[int, ...]  # of each utterance
    warps: tuple[float, ...]  # of each one's vocal tract
    masks: Masks
    targets: Targets
    intermediate: Targets  # of the intermediate head, if there is one
    seconds: float  # of audio, padding not counted
    views: int = 1

    def features(self) -> tuple[Tensor, Tensor]:
        """What the model is shown, made on the device that the batch is on.

        Returns:
            shape (views * utterances, frames, bins), masked parts and padding 0, an utterance's
            mean; and the frames of each, shape (views * utterances,).
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
        """What a loader calls to speed up the way to a GPU."""
        return replace(self, signals=self.signals.pin_memory())
