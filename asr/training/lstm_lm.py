"""Training of recurrent language models: from texts to a model, sentence by sentence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import TextColumn
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from asr.config.schema import RecurrentConfig
from asr.corpora.text_blocks import STDIN, read_blocks
from asr.errors import AsrError
from asr.neural_lm.file import BORDER
from asr.neural_lm.network import RecurrentModel, sentence_losses
from asr.runtime.device import autocast, choose_device, choose_precision
from asr.runtime.files import atomic, remove
from asr.runtime.interrupt import Interrupted, stop_signal
from asr.runtime.progress import bar
from asr.tokenizers.tokenizer import BpeTokenizer
from asr.training.optimizers import adamw, one_cycle, set_rate
from asr.training.state import read_record

_LONGEST = 254  # units of a sentence; longer ones are cut
_SAMPLE, _EVERY = 200_000, 8  # lines that units are learned from: every eighth, up to so many
_POOL = 64  # batches whose sentences are sorted by length together
_MEMORY = 0.99  # of the mean loss that is shown, per step


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
        output: beside it, ``output.state`` keeps what an interrupted training goes on from.
        resume: go on, if there is something to go on from. On the CPU the weights are then the
            same, to the bit, as those of a training that was not interrupted.

    Raises:
        AsrError: a text can't be read, or is too small for so many units; training diverged; or
            it was stopped before and is not to be resumed.
        Interrupted: Ctrl-C; the state is saved.
    """
    if STDIN in texts:
        raise AsrError("a recurrent model's text is read twice, which standard input can't be")
    state_path = output.with_name(output.name + ".state")
    if state_path.exists() and not resume:
        raise AsrError(
            f"{state_path} holds a training that was stopped; go on with --resume or delete it"
        )
    record = _read_state(state_path, config) if state_path.exists() else None
    tokenizer = BpeTokenizer.train(_sample(texts), config.units, "lm.recurrent.units")
    sentences = read_sentences(texts, tokenizer)
    if record and record["units"] != len(sentences.units):
        raise AsrError(f"{state_path} is of a training on other texts; delete it to start anew")
    torch.manual_seed(config.seed)
    device = choose_device(config.device)
    precision = choose_precision(record["precision"] if record else config.precision, device)
    if precision == "float16":  # which needs its gradients scaled
        precision = "bfloat16"
    model = RecurrentModel(config, tokenizer).to(device)
    optimizer = adamw(model.parameters(), config.peak_rate, config.weight_decay)
    step = 0
    if record:
        step = record["step"]
        model.load_state_dict(record["model"])
        optimizer.load_state_dict(record["optimizer"])
        torch.set_rng_state(record["random"])

    def save_state() -> None:
        with atomic(state_path) as temporary:
            torch.save(
                {
                    "config": config.model_dump(mode="json"),
                    "units": len(sentences.units),
                    "precision": precision,
                    "step": step,
                    "model": model.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "random": torch.get_rng_state(),
                },
                temporary,
            )

    plan = [batch for epoch in range(config.epochs) for batch in _plan(sentences, config, epoch)]
    mean = math.nan
    with stop_signal() as stop, bar(TextColumn("{task.fields[status]}")) as display:
        task = display.add_task("training", total=len(plan), completed=step, status="")
        for indices in plan[step:]:
            set_rate(optimizer, one_cycle(config.peak_rate, config.warm_up, step / len(plan)))
            loss = _step(model, optimizer, sentences.batch(indices).to(device), precision)
            if not math.isfinite(loss):
                raise AsrError(f"training has diverged in step {step + 1}; lower peak_rate")
            mean = loss if math.isnan(mean) else _MEMORY * mean + (1 - _MEMORY) * loss
            step += 1
            status = f"perplexity of a unit {math.exp(min(mean, 20.0)):.2f}"
            display.update(task, completed=step, status=status)
            if step % config.checkpoint_every == 0:
                save_state()
            if stop() and step < len(plan):
                save_state()
                raise Interrupted(f"stopped; go on with --resume (state in {state_path})")
    model.eval().save(output)
    remove(state_path)
    return model


def read_sentences(texts: Sequence[Path], tokenizer: BpeTokenizer) -> Sentences:
    """Reads texts, one sentence a line; one that is too long is cut into several."""
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
    """The sentences of each batch of an epoch: of like length together, in random order."""
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


def _step(
    model: RecurrentModel, optimizer: torch.optim.Optimizer, batch: Tensor, precision: str
) -> float:
    """One update of the weights; returns the mean loss of a unit."""
    following = batch[:, 1:]
    with autocast(precision, batch.device):
        scores = model(batch[:, :-1].clamp(min=BORDER))
    loss = sentence_losses(scores, following).sum() / (following >= 0).sum()
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(model.parameters(), model.config.clip_norm)
    optimizer.step()
    return float(loss.detach())


def _read_state(path: Path, config: RecurrentConfig) -> dict[str, Any]:
    record = read_record(path)
    if record.get("config") != config.model_dump(mode="json"):
        raise AsrError(f"{path} is of a training with other settings; delete it to start anew")
    return record
