"""The training set: its utterances, the batches of each epoch, and their augmentation.

Random numbers are drawn from (seed, epoch, utterance), never from a running generator, so any batch
of any epoch can be made again: by a loader process, or when a run is resumed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset

from asr.audio.read import SAMPLE_RATE
from asr.config.data import AugmentConfig, DataConfig
from asr.corpora.manifest import Utterance, read_manifest
from asr.errors import AsrError
from asr.features.mel import feature_frames
from asr.text import normalise, note_rule
from asr.tokenizers.tokenizer import Tokenizer, UnrepresentableText
from asr.training import augmentation as augment
from asr.training.audio_cache import AudioCache, open_cache
from asr.training.batch import Batch, Masks, Targets


@dataclass(frozen=True)
class Draw:
    """One utterance with its augmentation in one epoch."""

    index: int
    speed: float
    warp: float
    seed: int
    views: int = 1  # in its batch, each with masks of its own


@dataclass(frozen=True)
class TrainingSet(Dataset[Batch]):
    """Utterances that can be trained on; an index is a batch of :func:`plan_epoch`."""

    cache: AudioCache
    targets: Sequence[Sequence[int]]
    intermediate: Sequence[Sequence[int]]  # targets of the intermediate head
    augment: AugmentConfig
    mel_bins: int
    digest: str  # of utterance ids, transcripts and lengths, in order

    def __getitem__(self, draws: Sequence[Draw]) -> Batch:
        views = draws[0].views
        signals = [self._signal(draw) for draw in draws]
        masks = [
            self._masks(feature_frames(len(signal)), draw, view)
            for view in range(views)
            for signal, draw in zip(signals, draws, strict=True)
        ]
        return Batch(
            signals=pad_sequence(signals, batch_first=True),
            samples=tuple(len(signal) for signal in signals),
            warps=tuple(draw.warp for draw in draws),
            masks=Masks(
                pad_sequence([frames for frames, _ in masks], batch_first=True),
                torch.stack([bins for _, bins in masks]),
            ),
            targets=Targets.of([self.targets[d.index] for d in draws] * views),
            intermediate=Targets.of([self.intermediate[d.index] for d in draws] * views),
            seconds=views * sum(self.seconds(draw) for draw in draws),
            views=views,
        )

    def seconds(self, draw: Draw) -> float:
        return self.cache.samples(draw.index) / draw.speed / SAMPLE_RATE

    def _signal(self, draw: Draw) -> Tensor:
        samples = augment.change_speed(torch.from_numpy(self.cache[draw.index]), draw.speed)
        random = np.random.default_rng(draw.seed)
        return torch.from_numpy(augment.change_channel(samples.numpy(), self.augment, random))

    def _masks(self, frames: int, draw: Draw, view: int) -> tuple[Tensor, Tensor]:
        random = np.random.default_rng((draw.seed, view + 1))  # (seed, 0) is seed itself
        return augment.draw_masks(frames, self.mel_bins, self.augment, random)


def manifest_path(config: DataConfig, name: str) -> Path:
    """The path of the manifest called ``name`` in a recipe."""
    return Path(name) if name.endswith(".jsonl") else Path(config.manifests) / f"{name}.jsonl"


def read_manifests(config: DataConfig, names: Sequence[str]) -> list[Utterance]:
    """The utterances of several manifests of a recipe, one after another, in normal form."""
    utterances = [u for name in names for u in read_manifest(manifest_path(config, name))]
    for index, utterance in enumerate(utterances):
        if (text := normalise(utterance.text)) != utterance.text:
            note_rule("manifest", utterance.text)
            utterances[index] = replace(utterance, text=text)
    return utterances


def load_training_set(
    config: DataConfig,
    augment: AugmentConfig,
    tokenizers: tuple[Tokenizer, Tokenizer],
    mel_bins: int,
    output_length: Callable[[int], int],
) -> tuple[TrainingSet, list[str]]:
    """Reads the training manifests and leaves out utterances that can't be trained on.

    Args:
        tokenizers: of the main head, and of the intermediate one.
        output_length: frames of features to frames of log-probabilities.

    Returns:
        The set, and one sentence for each utterance left out.

    Raises:
        AsrError: a manifest can't be read, or nothing is left.
    """
    utterances = read_manifests(config, config.train)
    name = "+".join(Path(part).stem for part in config.train)
    cache, utterances, problems = open_cache(config.cache, name, utterances)
    fastest = max(augment.speeds)
    kept: list[int] = []
    targets: list[list[list[int]]] = []  # of both heads
    digest = hashlib.sha256()
    for index, utterance in enumerate(utterances):
        try:
            both = [tokenizer.encode(utterance.text) for tokenizer in tokenizers]
        except UnrepresentableText as error:
            problems.append(f"{utterance.utterance_id}: {error}")
            continue
        seconds = cache.samples(index) / SAMPLE_RATE
        frames = output_length(feature_frames(int(cache.samples(index) / fastest)))
        target = max(both, key=frames_needed)
        if not target:
            problems.append(f"{utterance.utterance_id}: the transcript is empty")
        elif seconds > config.max_seconds:
            problems.append(f"{utterance.utterance_id}: {seconds:.1f} s is over data.max_seconds")
        elif frames < frames_needed(target):
            problems.append(
                f"{utterance.utterance_id}: its {frames} frames at speed {fastest} are too few "
                f"for {len(target)} units and a blank between repeated ones"
            )
        else:
            kept.append(index)
            targets.append(both)
            # Without the path of the audio: a folder may be moved.
            row = [utterance.utterance_id, utterance.text, cache.samples(index)]
            digest.update(f"{json.dumps(row)}\n".encode())
    if not kept:
        raise AsrError(f"no utterance of {name} can be trained on; first problem: {problems[0]}")
    main, intermediate = zip(*targets, strict=True)
    training = TrainingSet(
        cache.select(kept), main, intermediate, augment, mel_bins, digest.hexdigest()
    )
    return training, problems


def frames_needed(target: Sequence[int]) -> int:
    """The fewest frames that CTC can align ``target`` to: repeated units need a blank between."""
    repeats = sum(a == b for a, b in pairwise(target))
    return len(target) + repeats


def plan_epoch(
    training: TrainingSet,
    seed: int,
    epoch: int,
    batch_seconds: float,
    views: int = 1,
    short_first: bool = False,
) -> list[list[Draw]]:
    """Draws the batches of one epoch, in which every utterance occurs ``views`` times.

    To limit padding, utterances are sorted by length and cut into batches of at most
    ``batch_seconds``, padding included. Lengths are first stretched by a random few per cent, so
    that no two epochs have the same batches.
    """
    random = np.random.default_rng((seed, epoch))
    count = len(training.targets)
    speeds = random.choice(training.augment.speeds, count)
    seeds = random.integers(2**62, size=count)
    widest = round(training.augment.vocal_tract * 100)  # per cent; mel filters are cached by it
    warps = 1.0 + random.integers(-widest, widest, size=count, endpoint=True) / 100
    draws = [Draw(i, float(speeds[i]), float(warps[i]), int(seeds[i]), views) for i in range(count)]
    stretched = np.array([training.seconds(d) for d in draws]) * random.uniform(0.95, 1.05, count)
    batches: list[list[Draw]] = [[]]
    longest = 0.0
    for index in np.argsort(stretched, kind="stable"):
        draw = draws[index]
        longest = max(longest, training.seconds(draw))
        if batches[-1] and longest * (len(batches[-1]) + 1) * views > batch_seconds:
            batches.append([])
            longest = training.seconds(draw)
        batches[-1].append(draw)
    if short_first:
        return batches
    return [batches[i] for i in random.permutation(len(batches))]


@contextmanager
def loaders_named() -> Iterator[None]:
    """Names the death of a loader process in a sentence: torch raises its error at any place."""
    try:
        yield
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker"):
            raise
        raise AsrError(
            "a process that makes batches was killed, perhaps for want of memory; go on with "
            "--resume and a smaller train.workers, or 0 to do without such processes"
        ) from error


def load_batches(
    training: TrainingSet, batches: Iterable[Sequence[Draw]], workers: int, pinned: bool
) -> DataLoader[Batch]:
    """Makes batches in order, ahead of their use, in ``workers`` processes (0: in this one)."""
    return DataLoader(
        training,
        sampler=batches,
        batch_size=None,
        num_workers=workers,
        pin_memory=pinned,
        prefetch_factor=2 if workers else None,
        generator=torch.Generator(),  # or it would draw from the random state that dropout uses
    )
