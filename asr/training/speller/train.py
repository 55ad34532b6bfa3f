"""Training of a speller, on recordings and on text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from rich.progress import TextColumn
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from asr.acoustic.card import speller_card
from asr.acoustic.checkpoint import Checkpoint, load_model, save_model
from asr.acoustic.folder import WEIGHTS
from asr.acoustic.network import AcousticModel, dropout_generator
from asr.config.schema import Recipe, SpellerRecipe
from asr.errors import AsrError
from asr.features.mel import FRAMES_PER_SECOND
from asr.runtime.files import atomic, digest, remove
from asr.runtime.interrupt import Interrupted, stop_signal
from asr.runtime.parallel import prefetch, run_in_threads
from asr.runtime.progress import bar, console, report_skipped
from asr.tokenizers.tokenizer import BpeTokenizer, Tokenizer, UnrepresentableText
from asr.training.batch import Targets
from asr.training.ctc_loss import ctc
from asr.training.dataset import TrainingSet, frames_needed, load_training_set
from asr.training.dev_set import DevSet
from asr.training.gradients import leave
from asr.training.optimizers import make_optimizers, one_cycle, set_rate
from asr.training.speller.bank import END, Rows
from asr.training.speller.encoder_outputs import Recordings, heard
from asr.training.speller.network import with_speller
from asr.training.speller.sentences import Reader, Sentences
from asr.training.state import read_record

_SAMPLE = 200_000  # sentences that units are learned from
_POOL = 512  # utterances that are sorted by length together
_PATIENCE = 20  # so many are tried for each one of a pool
_SCORED = 20  # times that the dev set is scored
_MEMORY = 0.99  # of the mean loss that is shown, per step

Item = tuple[Tensor, list[int]]  # what the encoder says, (frames, width), and the units to tell


def train_speller(
    recipe: Recipe, source: Path, output: Path, texts: Sequence[Path], *, resume: bool = False
) -> Path:
    """Puts a trained speller on top of a trained model; returns ``output``.

    The recordings are heard anew by every call: minutes, and 19 kB on disk for a second of each
    version while it lasts.

    Args:
        recipe: its ``speller``, and its training and dev data.
        source: the model's folder.
        output: for the new model's folder; beside it, ``output.state`` keeps what a stopped
            training goes on from.
        texts: files as :func:`asr.corpora.text_blocks.read_blocks` takes them.
        resume: go on, if there is something to go on from. The weights are then the same, to the
            bit, as those of a training that was not stopped.

    Raises:
        AsrError: the model, the data or a text won't do, training diverged, or it was stopped
            before and is not to be resumed.
        Interrupted: Ctrl-C; the state is saved.
    """
    config = recipe.speller or SpellerRecipe()
    state_path = output.with_name(output.name + ".state")
    if state_path.exists() and not resume:
        raise AsrError(
            f"{state_path} holds a training that was stopped; go on with --resume or delete it"
        )
    if (output / WEIGHTS).exists() and not resume:
        raise AsrError(f"{output} holds a model, which would be overwritten; set another output")
    below = load_model(source)
    phones = below.intermediate_tokenizer
    if below.model.intermediate_head is None or len(phones) > END:
        raise AsrError(
            f"the model {source} has no second head of phones or characters to cut recordings by; "
            "train one with model.intermediate_layer"
        )
    torch.manual_seed(config.seed)
    sentences = Sentences(texts)
    if not len(sentences):
        raise AsrError(f"there is no word in {', '.join(map(str, texts))}")
    tokenizer = BpeTokenizer.train(sentences.sample(_SAMPLE), config.units, "speller.units")
    model = with_speller(below.model, len(tokenizer), len(phones), config.shape, config.bottleneck)
    checkpoint = Checkpoint(model, tokenizer, phones)
    training, problems = load_training_set(
        recipe.data,
        config.augment,
        (tokenizer, phones),
        model.config.mel_bins,
        model.output_length,
    )
    dev_set, unheard = DevSet.load(recipe.data)
    report_skipped(problems + unheard)
    made_from = {
        "weights": digest(source / WEIGHTS),
        "speller": config.model_dump(mode="json"),
        "data": training.digest,
        "texts": sentences.digest,
    }
    state = _State(config, made_from, _Top(model))
    if state_path.exists():
        state.restore(state_path)
    averaged = cast(_Top, state.averaged.module)
    model.speller, model.head = averaged.speller, averaged.head
    path = output.with_name(output.name + ".heard")
    with heard(model, training, config.versions, config.seed, path) as recordings:
        examples = _Examples(config, recordings, sentences, training, tokenizer, phones, model)
        _train(state, examples, state_path, partial(_score, state, checkpoint, dev_set))
    parameters = sum(p.numel() for p in model.parameters())
    last = state.history[-1]
    card = speller_card(recipe, config, source, len(dev_set), parameters, last)
    save_model(output, checkpoint, card)
    remove(state_path)
    return output


class _Top(nn.Module):
    """What is trained: all of the main head."""

    def __init__(self, model: AcousticModel) -> None:
        super().__init__()
        assert model.speller is not None
        self.speller = model.speller
        self.head = model.head

    def forward(self, rows: Tensor, lengths: Tensor) -> Tensor:
        log_probs: Tensor = self.head(self.speller(rows, lengths))
        return log_probs


class _State:
    """All that a stopped training goes on from."""

    def __init__(self, config: SpellerRecipe, made_from: dict[str, Any], top: _Top) -> None:
        self.config = config
        self.made_from = made_from
        self.top = top
        averaging = get_ema_multi_avg_fn(config.average_decay)  # type: ignore[no-untyped-call]
        self.averaged = AveragedModel(top, multi_avg_fn=averaging)
        self.optimizers = make_optimizers(
            config.optimizer, top, config.peak_rate, config.weight_decay, torch.float32
        )
        self.step = self.pool = self.batch = 0
        self.history: list[dict[str, float]] = []

    def save(self, path: Path) -> None:
        record = {
            "made_from": self.made_from,
            "top": self.top.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "place": [self.step, self.pool, self.batch],
            "history": self.history,
            "random": torch.get_rng_state(),
        }
        with atomic(path) as temporary:
            torch.save(record, temporary)

    def restore(self, path: Path) -> None:
        """Takes over what :meth:`save` wrote.

        Raises:
            AsrError: the file is damaged, or of another training.
        """
        record = read_record(path)
        if record.get("made_from") != self.made_from:
            raise AsrError(
                f"{path} is of a training with other settings, data or texts; restore them to go "
                "on, or delete it to start anew"
            )
        self.top.load_state_dict(record["top"])
        self.averaged.load_state_dict(record["averaged"])
        for optimizer, saved in zip(self.optimizers, record["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.step, self.pool, self.batch = record["place"]
        self.history = record["history"]
        torch.set_rng_state(record["random"])


@dataclass(frozen=True)
class _Examples:
    """What a speller learns from; all chance is drawn from (seed, pool)."""

    config: SpellerRecipe
    recordings: Recordings
    sentences: Sentences
    training: TrainingSet
    tokenizer: Tokenizer  # of what is to be told
    phones: Tokenizer  # of what is said
    model: AcousticModel

    def batches(self, pool: int, batch: int) -> Iterator[tuple[int, int, list[Item]]]:
        """Batches without end, from this one of this pool on, each behind its place."""
        reader = Reader(self.phones)
        while True:
            for number, items in enumerate(self._pool(reader, pool)):
                if number >= batch:
                    yield pool, number, items
            pool, batch = pool + 1, 0

    def _pool(self, reader: Reader, pool: int) -> list[list[Item]]:
        """Batches of like length, in random order."""
        random = np.random.default_rng((self.config.seed, pool))
        items: list[Item] = []
        for _ in range(_POOL * _PATIENCE):
            of_text = random.random() < self.config.text
            rows, units = self._say(reader, random) if of_text else self._recall(random)
            if units and frames_needed(units) <= len(rows):
                items.append((torch.from_numpy(rows), units))
            if len(items) == _POOL:
                break
        if not items:
            raise AsrError(
                f"none of {_POOL * _PATIENCE} sentences and recordings can be told in "
                f"{self.config.units} units: they can't be said, or have fewer frames than units; "
                "raise speller.units or look at the texts"
            )
        items.sort(key=lambda item: len(item[0]))
        most = self._frames()
        batches: list[list[Item]] = [[]]
        for item in items:
            if len(item[0]) * (len(batches[-1]) + 1) > most:
                batches.append([])
            batches[-1].append(item)
        return [batches[i] for i in random.permutation(len(batches)) if batches[i]]

    def _frames(self) -> float:
        """Of the encoder's last layer, in a batch."""
        encoder = self.model.encoder
        frames = FRAMES_PER_SECOND / 2 ** len(self.model.config.front_end.channels)
        stacked = encoder.frames_stacked(self.model.config.encoder.layers)
        return float(self.config.batch_seconds * frames / stacked)

    def _say(self, reader: Reader, random: np.random.Generator) -> tuple[Rows, list[int]]:
        """A sentence, put together."""
        text = self.sentences.draw(random)
        try:
            said, units = reader.read(text, random), self.tokenizer.encode(text)
        except UnrepresentableText:
            return self.recordings.bank.rows[:0], []
        seed = int(random.integers(1 << 31))
        return self.recordings.bank.say(said, self.config.longest, seed), units

    def _recall(self, random: np.random.Generator) -> tuple[Rows, list[int]]:
        """A recording."""
        index = int(random.integers(len(self.recordings.frames)))
        start, end = self.recordings.frames[index]
        units = self.training.targets[self.recordings.utterances[index]]
        return self.recordings.bank.rows[start:end].copy(), list(units)


def _train(
    state: _State, examples: _Examples, path: Path, score: Callable[[], dict[str, float]]
) -> None:
    config = state.config
    mean = math.nan
    batches = prefetch(examples.batches(state.pool, state.batch), lambda batch: batch)
    with stop_signal() as stop, bar(TextColumn("{task.fields[status]}")) as display:
        task = display.add_task("training", total=config.steps, completed=state.step, status="")
        while state.step < config.steps:
            state.pool, state.batch, items = next(batches)
            rate = one_cycle(config.peak_rate, config.warm_up, state.step / config.steps)
            loss = _step(state, items, rate)
            if not math.isfinite(loss):
                raise AsrError(
                    f"training has diverged in step {state.step + 1}; lower speller.peak_rate"
                )
            mean = loss if math.isnan(mean) else _MEMORY * mean + (1 - _MEMORY) * loss
            state.step += 1
            state.batch += 1
            display.update(task, completed=state.step, status=f"loss {mean:.3f}")
            if state.step % max(1, config.steps // _SCORED) == 0 or state.step == config.steps:
                state.history.append({"step": state.step, "loss": mean, **score()})
            if state.step % config.checkpoint_every == 0:
                state.save(path)
            if stop() and state.step < config.steps:
                state.save(path)
                raise Interrupted(f"stopped; go on with --resume (state in {path})")


def _step(state: _State, items: Sequence[Item], rate: float) -> float:
    """One update of the weights; returns the loss of a unit."""
    for optimizer in state.optimizers:
        set_rate(optimizer, rate)
    parameters = list(state.top.parameters())
    total = sum(len(units) for _, units in items)

    def differentiate(part: Sequence[Item], seed: int) -> tuple[float, Sequence[Tensor]]:
        lengths = torch.tensor([len(rows) for rows, _ in part])
        targets = Targets.of([units for _, units in part])
        rows = pad_sequence([rows for rows, _ in part], batch_first=True).float()
        with dropout_generator(torch.Generator().manual_seed(seed)):
            log_probs = state.top(rows, lengths)
        loss = ctc(log_probs, lengths, targets.units, targets.lengths) / total
        return float(loss.detach()), torch.autograd.grad(loss, parameters)

    parts = [items[::2], items[1::2]] if len(items) > 1 else [items]
    seeds = torch.randint(1 << 62, (len(parts),)).tolist()
    found = run_in_threads(
        [partial(differentiate, part, seed) for part, seed in zip(parts, seeds, strict=True)]
    )
    leave(parameters, [gradients for _, gradients in found])
    norm = nn.utils.clip_grad_norm_(parameters, state.config.clip_norm)
    loss = sum(loss for loss, _ in found)
    if not math.isfinite(norm):
        return math.nan
    for optimizer in state.optimizers:
        optimizer.step()
    state.averaged.update_parameters(state.top)
    return loss


def _score(state: _State, checkpoint: Checkpoint, dev_set: DevSet) -> dict[str, float]:
    """Greedy error rates with the averaged weights."""
    checkpoint.model.eval()
    result = dev_set.score(checkpoint, torch.device("cpu"))
    console.print(
        f"step {state.step}/{state.config.steps}  "
        f"dev WER {100 * result.wer:.2f}, CER {100 * result.cer:.2f}",
        highlight=False,
    )
    return {"dev_wer": result.wer, "dev_cer": result.cer}
