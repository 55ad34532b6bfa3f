"""Batches of short recordings of similar length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from asr.audio.segmentation import LONGEST

_MAX_SECONDS = 480.0  # of a padded batch: bounds memory, whatever the batch size


def plan_batches(durations: Mapping[int, float], batch_size: int) -> Iterator[Sequence[int]]:
    """Groups indices by duration into batches of bounded count and bounded padded length.

    Args:
        durations: of each index, in seconds.
        batch_size: recordings of a batch at most.
    """
    batch: list[int] = []
    for index in sorted(durations, key=lambda i: durations[i]):
        full = len(batch) == batch_size or (len(batch) + 1) * durations[index] > _MAX_SECONDS
        if batch and full:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def bound_batch_size(batch_size: int) -> int:
    """The batch size for stretches of a long recording, of at most 36 s each."""
    return min(batch_size, int(_MAX_SECONDS / LONGEST))
