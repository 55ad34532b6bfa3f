"""Training of LSTM language models on the sentences of texts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from asr.config.schema import RecurrentConfig
from asr.corpora.text_blocks import STDIN, read_blocks
from asr.errors import AsrError
from asr.neural_lm.file import BORDER
from asr.neural_lm.network import RecurrentModel, sentence_losses
from asr.runtime.device import autocast, choose_device, choose_precision
from asr.runtime.files import remove
from asr.tokenizers.tokenizer import BpeTokenizer
from asr.training.learner import Learner
from asr.training.lock import sole_training
from asr.training.loop import Stretch, Training, fit
from asr.training.state import Progress, StepLoss, TrainingState, read_stopped

_LONGEST = 254  # units of a sentence; longer ones are cut
_SAMPLE, _EVERY = 200_000, 8  # lines that units are learned from at most: every eighth
_POOL = 64  # batches whose sentences are sorted by length together


@dataclass(frozen=True)
class Sentences:
    """Texts as units, without borders."""

    units: NDArray[np.uint16]
    starts: NDArray[np.int64]  # of each sentence, and the end of the last one

    def __len__(self) -> int:
        return len(self.starts) - 1

    def lengths(self) -> NDArray[np.int64]:
        return np.diff(self.starts)

    def batch(self, indices: NDArray[np.int64]) -> Tensor:
        """Sentences between borders, shape (sentences, units), -1 behind their ends."""
        bounds = zip(self.starts[indices], self.starts[indices + 1], strict=True)
        rows = [
            torch.tensor([BORDER, *self.units[start:end].tolist(), BORDER]) for start, end in bounds
        ]
        return pad_sequence(rows, batch_first=True, padding_value=-1)


def train_recurrent(
    texts: Sequence[Path], output: Path, config: RecurrentConfig, *, resume: bool = False
) -> RecurrentModel:
    """Trains a model and writes it to ``output``.

    Args:
        texts: files as :func:`asr.corpora.text_blocks.read_blocks` takes them; they are read twice.
        output: beside it, ``output.state`` is the state of a stopped training.
        resume: go on from the state, if there is one. On the CPU the weights are then the same, to
            the bit, as those of a training that was not stopped.

    Raises:
        AsrError: a text can't be read, or is too small for so many units; training diverged, was
            stopped before and is not to be resumed, or runs in another process.
        Interrupted: Ctrl-C; the state is saved.
    """
    if STDIN in texts:
        raise AsrError("a recurrent model's text is read twice, which standard input can't be")
    state_path = output.with_name(output.name + ".state")
    with sole_training(state_path):
        model = _train(texts, state_path, config, resume)
        model.eval().save(output)
        remove(state_path)
    return model


def _train(
    texts: Sequence[Path], state_path: Path, config: RecurrentConfig, resume: bool
) -> RecurrentModel:
    record = read_stopped(state_path, resume)
    settings = config.model_dump(mode="json")
    if record and record.get("config") != settings:
        raise AsrError(
            f"{state_path} is of a training with other settings; delete it to start anew"
        )
    tokenizer = BpeTokenizer.train(_sample(texts), config.units, "lm.recurrent.units")
    sentences = read_sentences(texts, tokenizer)
    if record and record["units"] != len(sentences.units):
        raise AsrError(f"{state_path} is of a training on other texts; delete it to start anew")
    torch.manual_seed(config.seed)
    device = choose_device(config.device)
    precision = choose_precision(record["precision"] if record else config.precision, device)
    if precision == "float16":  # whose gradients need scaling
        precision = "bfloat16"
    model = RecurrentModel(config, tokenizer).to(device)
    origin = {"config": settings, "units": len(sentences.units), "precision": precision}
    learner = Learner.create(model, config, precision, device)
    state = TrainingState(state_path, origin, learner, Progress())
    if record:
        if "step" in record:  # states before the common training loop
            position = {"batch": record["step"], "step": record["step"]}
            record = record | {"progress": position}
        state.restore(record)
    fit(LstmTraining(config, state, sentences))
    return model


class LstmTraining(Training[NDArray[np.int64]]):
    """A training in one stretch, as nothing is evaluated; a batch is indices of sentences."""

    def __init__(
        self, config: RecurrentConfig, state: TrainingState[Progress], sentences: Sentences
    ) -> None:
        super().__init__(config, state)
        self.progress = state.progress
        self.sentences = sentences
        self.plan = [
            batch for epoch in range(config.epochs) for batch in _plan(sentences, config, epoch)
        ]

    def finished(self) -> bool:
        return self.progress.step >= len(self.plan)

    def fraction_done(self) -> float:
        return self.progress.step / len(self.plan)

    def stretch(self) -> Stretch:
        step, total = self.progress.step, len(self.plan)
        return Stretch(total - step, "training", total, step)

    def batches(self) -> Iterator[NDArray[np.int64]]:
        return iter(self.plan[self.progress.step :])

    def backward(self, batch: NDArray[np.int64]) -> StepLoss:
        model = self.state.learner.model
        device = next(model.parameters()).device
        units = self.sentences.batch(batch).to(device)
        following = units[:, 1:]
        with autocast(self.state.origin["precision"], device):
            scores = model(units[:, :-1].clamp(min=BORDER))
        count = (following >= 0).sum()
        loss = sentence_losses(scores, following).sum() / count
        model.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        value = float(loss.detach())
        return StepLoss(value, value, int(count))

    def status(self, loss: float, rate: float) -> str:
        return f"perplexity of a unit {math.exp(min(self.progress.smoothed_loss, 20.0)):.2f}"


def read_sentences(texts: Sequence[Path], tokenizer: BpeTokenizer) -> Sentences:
    """Reads texts, one sentence a line; sentences that are too long are cut into several."""
    units: list[NDArray[np.uint16]] = []
    lengths: list[NDArray[np.int64]] = []
    for block in read_blocks(texts, "reading text"):
        rows = tokenizer.encode_lines(line for line in block.split("\n") if line)
        pieces = [
            row[start : start + _LONGEST] for row in rows for start in range(0, len(row), _LONGEST)
        ]
        lengths.append(np.fromiter(map(len, pieces), np.int64, len(pieces)))
        flat = (unit for piece in pieces for unit in piece)
        units.append(np.fromiter(flat, np.uint16, int(lengths[-1].sum())))
    starts = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64)
    return Sentences(np.concatenate(units), starts)


def _sample(texts: Sequence[Path]) -> list[str]:
    lines = (
        line for block in read_blocks(texts, "learning units") for line in block.split("\n") if line
    )
    sample = list(islice(lines, 0, _SAMPLE * _EVERY, _EVERY))
    if not sample:
        raise AsrError(f"there is no word in {', '.join(map(str, texts))}")
    return sample


def _plan(sentences: Sentences, config: RecurrentConfig, epoch: int) -> Iterator[NDArray[np.int64]]:
    """Batches of an epoch in random order, as indices of sentences of like length."""
    random = np.random.default_rng((config.seed, epoch))
    lengths = sentences.lengths() + 1  # as many are predicted
    order = random.permutation(len(sentences))
    size = max(1, int(_POOL * config.batch_units / lengths.mean()))
    for start in range(0, len(order), size):
        pool = order[start : start + size]
        pool = pool[np.argsort(-lengths[pool], kind="stable")]
        batches = []
        while len(pool):
            count = max(1, config.batch_units // int(lengths[pool[0]]))
            batches.append(pool[:count])
            pool = pool[count:]
        for index in random.permutation(len(batches)):
            yield batches[index]
