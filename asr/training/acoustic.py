"""Training of the acoustic model: from a recipe to a model's folder.

RUN/model/       the averaged weights of the best epoch so far, ready to transcribe; with CTC-CRF:
                 of the last epoch
RUN/state.pt     the state that --resume goes on from
RUN/events.*     curves for TensorBoard
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from asr.acoustic import card
from asr.acoustic.checkpoint import Checkpoint, save_model
from asr.acoustic.network import AcousticModel
from asr.audio.read import SAMPLE_RATE
from asr.config.schema import HeadName, Recipe, TrainConfig
from asr.errors import AsrError
from asr.runtime.device import choose_device, choose_precision
from asr.runtime.parallel import prefetch
from asr.runtime.progress import console, report_skipped
from asr.tokenizers.tokenizer import Tokenizer
from asr.training.batch import Batch
from asr.training.dataset import (
    Draw,
    TrainingSet,
    load_batches,
    load_training_set,
    loaders_named,
    plan_epoch,
)
from asr.training.denominator import MOST_UNITS, trigram
from asr.training.dev_set import DevSet
from asr.training.gradients import backward
from asr.training.initial_model import make_model, make_tokenizers
from asr.training.learner import Learner
from asr.training.lock import sole_training
from asr.training.loop import Stretch, Training, fit
from asr.training.state import Progress, StepLoss, TrainingState, read_state

STATE = "state.pt"
MODEL = "model"

_CHANCE = 0.9  # WER; above it, it goes up and down while a model begins to spell

_Prepared = tuple[Batch, Tensor, Tensor]  # a batch, its features and their lengths, on the device


def train(recipe: Recipe, resume: bool = False) -> Path:
    """Trains the model of ``recipe``, its earlier stages first; returns the model's folder.

    Args:
        resume: go on from the run's state, if it has one; a finished run is left as it is. A run
            resumed on the CPU ends with the same weights, to the bit, as one that was never
            stopped.

    Raises:
        AsrError: the data or the recipe won't do, a model would be overwritten, another process
            trains into the same folder, or the training diverged.
        Interrupted: Ctrl-C; the state is saved.
    """
    with sole_training(recipe.folder / STATE):
        return _train(recipe, resume)


def _train(recipe: Recipe, resume: bool) -> Path:
    record = _read_run(recipe, resume)
    if record and AcousticProgress(**record["progress"]).finished(recipe.train):
        return recipe.folder / MODEL
    init_from = None if record else recipe.init_from
    if recipe.before and not record:
        init_from = str(train(recipe.before, resume))
    training = _set_up(recipe, record, init_from)
    try:
        with loaders_named():
            fit(training)
    finally:
        training.curves.close()
    progress = training.progress
    if progress.epoch < recipe.train.epochs:
        console.print(
            f"ended early: no epoch since {progress.epoch - recipe.train.patience} had fewer "
            "wrong words"
        )
    return recipe.folder / MODEL


@dataclass
class AcousticProgress(Progress):
    """The position of a run of the acoustic model."""

    earlier: int = 0  # epochs of the stages before, whose random draws are not repeated
    seconds: float = 0.0  # of audio trained on in the current epoch
    best_wer: float = float("inf")

    def finished(self, config: TrainConfig) -> bool:
        """Whether all epochs are done, or the last ``patience`` epochs brought nothing."""
        return self.epoch >= config.epochs or 0 < config.patience <= self.epochs_since_best()

    def epochs_since_best(self) -> int:
        """The number of epochs after the last one with the fewest word errors."""
        errors = [min(entry["dev_wer"], _CHANCE) for entry in reversed(self.history)]
        return errors.index(min(errors)) if errors else 0

    def start_epoch(self) -> None:
        super().start_epoch()
        self.seconds = 0.0

    @property
    def speed(self) -> float:
        """Audio-seconds a second in the current epoch."""
        return self.seconds / self.wall if self.wall else 0.0


class AcousticTraining(Training[_Prepared]):
    """A training on the utterances of a recipe.

    Args:
        recipe: the settings.
        state: of the model.
        training_set: the utterances to train on.
        dev_set: the utterances to score after every epoch.
        checkpoint: the model with the averaged weights, which is scored and kept.
        unit_models: language models of units, of the heads that have a denominator.
    """

    def __init__(
        self,
        recipe: Recipe,
        state: TrainingState[AcousticProgress],
        training_set: TrainingSet,
        dev_set: DevSet,
        checkpoint: Checkpoint,
        unit_models: dict[HeadName, Tensor],
    ) -> None:
        super().__init__(recipe.train, state, "train.", recipe.train.max_bad_steps)
        self.recipe = recipe
        self.config = recipe.train
        self.progress = state.progress
        self.training_set = training_set
        self.dev_set = dev_set
        self.checkpoint = checkpoint
        self.unit_models = unit_models
        self.device = next(state.learner.model.parameters()).device
        self.parameters = sum(p.numel() for p in state.learner.model.parameters())
        cache = training_set.cache
        self.hours = sum(map(cache.samples, range(len(cache)))) / SAMPLE_RATE / 3600
        self._plan = functools.lru_cache(maxsize=2)(self._plan_epoch)  # for loader and loop

        from torch.utils.tensorboard import SummaryWriter  # here: it takes a second to import

        # Entries of an earlier process that are newer than the state are hidden: they come again.
        self.curves = SummaryWriter(recipe.folder, purge_step=self.progress.step + 1)

    def finished(self) -> bool:
        return self.progress.finished(self.config)

    def fraction_done(self) -> float:
        progress = self.progress
        epochs = progress.epoch + progress.batch / len(self._plan(progress.epoch))
        return epochs / self.config.epochs

    def stretch(self) -> Stretch:
        epoch, done = self.progress.epoch, self.progress.batch
        total = len(self._plan(epoch))
        return Stretch(total - done, f"epoch {epoch + 1}/{self.config.epochs}", total, done)

    def batches(self) -> Iterator[_Prepared]:
        # One loader for all epochs: during an evaluation it makes the next epoch's first batches.
        epochs = range(self.progress.epoch, self.config.epochs)
        draws = chain.from_iterable(self._plan(epoch) for epoch in epochs)
        on_cpu = self.device.type == "cpu"
        loader = load_batches(
            self.training_set,
            islice(draws, self.progress.batch, None),
            self._workers(),
            pinned=not on_cpu,
        )
        return prefetch(loader, self._prepare) if on_cpu else map(self._prepare, loader)

    def backward(self, batch: _Prepared) -> StepLoss:
        utterances, features, lengths = batch
        learner = self.state.learner
        total, main = backward(
            learner.model,
            utterances,
            features,
            lengths,
            self.config,
            self.state.origin["precision"],
            learner.scaler,
            self.unit_models,
        )
        return StepLoss(total, main, int(utterances.targets.lengths.sum()))

    def after_step(self, batch: _Prepared, loss: StepLoss, rate: float) -> None:
        self.progress.seconds += batch[0].seconds
        if math.isfinite(loss.main):
            self._plot({"train/loss": loss.main, "train/rate": rate})

    def status(self, loss: float, rate: float) -> str:
        return f"loss {loss:.3f}  rate {rate:.1e}  {self.progress.speed:.0f} audio-s/s"

    def evaluate(self) -> None:
        """Scores the averaged weights on the dev set, and keeps them if they are the best."""
        recipe, progress = self.recipe, self.progress
        result = self.dev_set.score(self.checkpoint, self.device)
        entry = {
            "epoch": progress.epoch + 1,
            "loss": progress.loss / max(1, progress.units),
            "dev_wer": result.wer,  # of phones if those are the units
            "dev_cer": result.cer,
            "audio_seconds_per_second": progress.speed,
            "wall_seconds": progress.wall,
            "bad_steps": progress.bad_steps,
        }
        progress.history.append(entry)
        self._plot({f"epoch/{key}": value for key, value in entry.items()})
        console.print(_epoch_line(entry, recipe))
        best = result.wer <= progress.best_wer
        progress.best_wer = min(progress.best_wer, result.wer)
        # With a denominator, greedy error rates say little about those of a beam search.
        if best or self.unit_models:
            text = card.training_card(
                recipe, self.hours, len(self.dev_set), self.parameters, progress.history
            )
            save_model(recipe.folder / MODEL, self.checkpoint, text)

    def save(self) -> None:
        self._plot({}, flush=True)  # A resumed run does not write the steps before its state again.
        super().save()

    def _plot(self, values: dict[str, float], flush: bool = False) -> None:
        """Adds points to the curves."""
        try:
            for tag, value in values.items():
                self.curves.add_scalar(tag, value, self.progress.step)
            if flush:
                self.curves.flush()
        except OSError as error:
            raise AsrError(
                f"the curves in {self.recipe.folder} can't be written: {error.strerror or error}"
            ) from error

    def _plan_epoch(self, epoch: int) -> list[list[Draw]]:
        return plan_epoch(
            self.training_set,
            self.recipe.seed,
            self.progress.earlier + epoch,
            self.config.batch_seconds,
            views(self.config, epoch),
            short_first=self.config.short_first and epoch == 0,
        )

    def _prepare(self, batch: Batch) -> _Prepared:
        batch = batch.to(self.device)
        return batch, *batch.features()

    def _workers(self) -> int:
        """Processes that make batches: a GPU is fast enough to wait for fewer than all cores."""
        if self.config.workers != "auto":
            return self.config.workers
        return max(1, (os.cpu_count() or 1) - 2) if self.device.type == "cuda" else 0


def views(config: TrainConfig, epoch: int) -> int:
    """The number of views of an utterance in its batch, in an epoch counted from 0."""
    consistent = config.consistency_weight and epoch >= config.consistency_start * config.epochs
    return 2 if consistent else 1


def _read_run(recipe: Recipe, resume: bool) -> dict[str, Any] | None:
    """The state of the recipe's run, if it has one; nothing is ever overwritten."""
    folder = recipe.folder
    if (folder / STATE).exists():
        if not resume:
            raise AsrError(
                f"{folder} holds a run already; go on with --resume or set another output"
            )
        return read_state(folder / STATE, recipe)
    if (folder / MODEL).exists():
        raise AsrError(
            f"{folder / MODEL} would be overwritten: the state of its training, {STATE}, is not "
            "there to go on from; set another output or move the model away"
        )
    return None


def _set_up(
    recipe: Recipe, record: dict[str, Any] | None, init_from: str | None
) -> AcousticTraining:
    """Loads the data and makes the model, or takes both over from the state of a run."""
    config = recipe.train
    device = choose_device(config.device)
    precision = choose_precision(record["precision"] if record else config.precision, device)
    torch.manual_seed(recipe.seed)
    tokenizers = make_tokenizers(recipe, record, init_from)
    model = make_model(recipe, tokenizers, init_from).to(device)
    training_set, problems = load_training_set(
        recipe.data, recipe.augment, tokenizers, recipe.model.mel_bins, model.output_length
    )
    report_skipped(problems)
    unit_models = _unit_models(recipe, training_set, tokenizers, device)
    learner = Learner.create(model, config, precision, device)
    origin = {
        "recipe": recipe.model_dump(mode="json"),
        "precision": precision,
        "tokenizers": [tokenizer.to_json() for tokenizer in tokenizers],
        "data": training_set.digest,
    }
    earlier = sum(stage.train.epochs for stage in recipe.stages[:-1])
    state = TrainingState(recipe.folder / STATE, origin, learner, AcousticProgress(earlier=earlier))
    if record:
        _check_data(record, training_set, recipe.folder)
        state.restore(record)
    dev_set, problems = DevSet.load(recipe.data)
    report_skipped(problems)
    checkpoint = Checkpoint(cast(AcousticModel, learner.average.eval()), *tokenizers)
    training = AcousticTraining(recipe, state, training_set, dev_set, checkpoint, unit_models)
    console.print(
        f"{recipe.name}: {len(training_set.targets)} utterances, {training.hours:.2f} h; "
        f"{training.parameters / 1e6:.1f} M parameters on {device} in {precision}"
        + (f"; resumed in epoch {state.progress.epoch + 1}" if record else "")
    )
    return training


def _check_data(record: dict[str, Any], training_set: TrainingSet, folder: Path) -> None:
    """Refuses a state of other training data; the earliest states have no digest."""
    if record.get("data", training_set.digest) != training_set.digest:
        raise AsrError(
            f"the training data of the run in {folder} have changed since it was started "
            "(utterances, transcripts or audio); restore them to resume it, or start anew with "
            "another output"
        )


def _unit_models(
    recipe: Recipe,
    training_set: TrainingSet,
    tokenizers: tuple[Tokenizer, Tokenizer],
    device: torch.device,
) -> dict[HeadName, Tensor]:
    """The unit language model of the head with a denominator, if there is one."""
    if not recipe.train.denominator_weight:
        return {}
    head = recipe.train.denominator_head
    main = head == "main"
    targets = training_set.targets if main else training_set.intermediate
    units = len(tokenizers[0] if main else tokenizers[1])
    if units > MOST_UNITS:
        raise AsrError(
            f"train.denominator_weight: the {units} units of the {head} head are too many for a "
            f"denominator, which takes {MOST_UNITS}; set units to phones, characters or a smaller "
            "units.size, or the weight to 0"
        )
    return {head: trigram(targets, units).to(device)}


def _epoch_line(entry: dict[str, float], recipe: Recipe) -> str:
    return (
        f"epoch {entry['epoch']:.0f}/{recipe.train.epochs}  loss {entry['loss']:.3f}  "
        f"dev {card.error_rates(recipe.units, entry)}  "
        f"{entry['audio_seconds_per_second']:.0f} audio-s/s"
        + (f"  skipped steps {entry['bad_steps']:.0f}" if entry["bad_steps"] else "")
    )
