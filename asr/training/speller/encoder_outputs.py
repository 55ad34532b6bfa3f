"""What an encoder says of a training set, kept in a file while a speller learns from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from asr.acoustic.network import AcousticModel, dropout_generator
from asr.errors import AsrError
from asr.runtime.files import remove
from asr.runtime.progress import track
from asr.runtime.torch_pair import torchaudio
from asr.tokenizers.tokenizer import BLANK
from asr.training.dataset import Draw, TrainingSet, plan_epoch
from asr.training.speller.bank import Bank

_BATCH_SECONDS = 320.0


@dataclass(frozen=True)
class Recordings:
    """A bank of recordings, and which utterance each of its entries is."""

    bank: Bank
    frames: list[tuple[int, int]]  # of each entry, the first and the one behind the last
    utterances: list[int]


@contextmanager
def heard(
    model: AcousticModel, training: TrainingSet, versions: int, seed: int, path: Path
) -> Iterator[Recordings]:
    """Lets the encoder hear a training set, with dropout, and keeps what it says in ``path``.

    Raises:
        AsrError: the file can't be written.
    """
    plan = [
        draws
        for version in range(versions)
        for draws in plan_epoch(training, seed, version, _BATCH_SECONDS)
    ]
    entries: list[tuple[int, NDArray[np.integer]]] = []
    utterances = []
    generator = torch.Generator().manual_seed(seed)
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "wb") as file:
                for draws in track(plan, "hearing the recordings", len(plan)):
                    said = _hear(model, training, draws, generator)
                    for draw, (rows, spoken) in zip(draws, said, strict=True):
                        file.write(rows.numpy().tobytes())
                        entries.append((len(rows), spoken.numpy()))
                        utterances.append(draw.index)
        except OSError as error:
            raise AsrError(f"{path} can't be written: {error.strerror or error}") from error
        kept = np.memmap(path, np.float16, "r").reshape(-1, model.encoder.widths[-1])
        ends = np.cumsum([frames for frames, _ in entries]).tolist()
        spans = list(zip([0, *ends[:-1]], ends, strict=True))
        yield Recordings(Bank.of(kept, entries), spans, utterances)
    finally:
        remove(path)


@torch.inference_mode()
def _hear(
    model: AcousticModel,
    training: TrainingSet,
    draws: Sequence[Draw],
    generator: torch.Generator,
) -> list[tuple[Tensor, Tensor]]:
    """For each utterance what the encoder's last layer says, and the path of its units."""
    assert model.intermediate_head is not None
    features, lengths = training[draws].features()
    x, lengths = model.front_end(features, lengths)
    before_dropout: list[Tensor] = []
    hook = model.encoder.norms[-1].register_forward_hook(
        lambda *call: before_dropout.append(call[2])
    )
    with dropout_generator(generator):
        layers = model.encoder.train()(x, lengths)
    hook.remove()
    middle = model.intermediate_head(layers[model.config.intermediate_layer - 1])
    top = before_dropout[0].transpose(0, 1).half()
    found = []
    for row, (length, draw) in enumerate(zip(lengths.tolist(), draws, strict=True)):
        log_probs = middle[row : row + 1, : length * model.config.emissions]
        units = torch.tensor([training.intermediate[draw.index]], dtype=torch.int32)
        path, _ = torchaudio.functional.forced_align(log_probs.contiguous(), units, blank=BLANK)
        stacked = model.encoder.frames_stacked(model.config.encoder.layers)
        found.append((top[row, : -(-length // stacked)], path[0]))
    return found
