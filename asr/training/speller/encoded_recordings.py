"""The encoder outputs of a training set, kept in a file while a speller is trained on them."""

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
from asr.training.speller.segment_inventory import SegmentInventory

_BATCH_SECONDS = 320.0


@dataclass(frozen=True)
class EncodedRecordings:
    """Recordings as entries of a segment inventory."""

    inventory: SegmentInventory
    frames: list[tuple[int, int]]  # of each entry, its first frame and the one behind its last
    utterances: list[int]  # the utterance of each entry


@contextmanager
def encode_recordings(
    model: AcousticModel, training_set: TrainingSet, versions: int, seed: int, path: Path
) -> Iterator[EncodedRecordings]:
    """Encodes a training set, with augmentation and dropout, into the file ``path``.

    The file is deleted at the end of the context.

    Args:
        versions: times that each recording is encoded.
        seed: of augmentation and dropout.

    Raises:
        AsrError: the file can't be written.
    """
    plan = [
        draws
        for version in range(versions)
        for draws in plan_epoch(training_set, seed, version, _BATCH_SECONDS)
    ]
    entries: list[tuple[int, NDArray[np.integer]]] = []
    utterances = []
    generator = torch.Generator().manual_seed(seed)
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "wb") as file:
                for draws in track(plan, "encoding the recordings", len(plan)):
                    encoded = _encode(model, training_set, draws, generator)
                    for draw, (rows, units) in zip(draws, encoded, strict=True):
                        file.write(rows.numpy().tobytes())
                        entries.append((len(rows), units.numpy()))
                        utterances.append(draw.index)
        except OSError as error:
            raise AsrError(f"{path} can't be written: {error.strerror or error}") from error
        kept = np.memmap(path, np.float16, "r").reshape(-1, model.encoder.widths[-1])
        ends = np.cumsum([frames for frames, _ in entries]).tolist()
        spans = list(zip([0, *ends[:-1]], ends, strict=True))
        yield EncodedRecordings(SegmentInventory.build(kept, entries), spans, utterances)
    finally:
        remove(path)


@torch.inference_mode()
def _encode(
    model: AcousticModel,
    training_set: TrainingSet,
    draws: Sequence[Draw],
    generator: torch.Generator,
) -> list[tuple[Tensor, Tensor]]:
    """Each utterance's outputs of the last encoder layer, and the CTC path of its text.

    Returns:
        Pairs of shapes (frames, width) and (emissions,), the path from forced alignment with the
        intermediate head.
    """
    assert model.intermediate_head is not None
    features, lengths = training_set[draws].features()
    x, lengths = model.front_end(features, lengths)
    before_dropout: list[Tensor] = []
    hook = model.encoder.norms[-1].register_forward_hook(
        lambda *call: before_dropout.append(call[2])
    )
    with dropout_generator(generator):
        layers = model.encoder.train()(x, lengths)
    hook.remove()
    intermediate = model.intermediate_head(layers[model.config.intermediate_layer - 1])
    top = before_dropout[0].transpose(0, 1).half()
    stacked = model.encoder.frames_stacked(model.config.encoder.layers)
    encoded = []
    for row, (length, draw) in enumerate(zip(lengths.tolist(), draws, strict=True)):
        log_probs = intermediate[row : row + 1, : length * model.config.emissions]
        units = torch.tensor([training_set.intermediate[draw.index]], dtype=torch.int32)
        path, _ = torchaudio.functional.forced_align(log_probs.contiguous(), units, blank=BLANK)
        encoded.append((top[row, : -(-length // stacked)], path[0]))
    return encoded
