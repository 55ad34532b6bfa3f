"""The training loop of the acoustic model, the speller and the LSTM language model.

A training defines its batches, loss and evaluation (:class:`Training`). The loop owns all else:
learning rate, updates, non-finite steps and divergence, progress bar, Ctrl-C, checkpoints.

Training in several processes belongs here. All of them resume from one state and run this loop;
gradients are summed in :meth:`asr.training.learner.Learner.update` before they are clipped; the
first process alone evaluates, shows progress and writes.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeVar

from rich.progress import TextColumn

from asr.config.schema import OptimizerConfig
from asr.errors import AsrError
from asr.runtime.interrupt import Interrupted, stop_signal
from asr.runtime.progress import bar
from asr.training.optimizers import one_cycle
from asr.training.state import StepLoss, TrainingState

BatchType = TypeVar("BatchType")


@dataclass(frozen=True)
class Stretch:
    """The steps that remain until the next evaluation, and the progress bar over them."""

    steps: int
    title: str
    total: int  # steps of the whole bar
    done: int


class Training(ABC, Generic[BatchType]):
    """One training, for :func:`fit`.

    Args:
        settings: of the optimiser.
        state: restored already, if the training is resumed.
        section: where the settings stand in a recipe, such as ``train.``, for errors.
        max_bad_steps: non-finite steps in a row that count as divergence.
    """

    def __init__(
        self,
        settings: OptimizerConfig,
        state: TrainingState[Any],
        section: str = "",
        max_bad_steps: int = 1,
    ) -> None:
        self.settings = settings
        self.state = state
        self.section = section
        self.max_bad_steps = max_bad_steps

    @abstractmethod
    def finished(self) -> bool:
        """Whether the training is done."""

    @abstractmethod
    def fraction_done(self) -> float:
        """The part of the whole training that is done, which the learning rate follows."""

    @abstractmethod
    def stretch(self) -> Stretch:
        """The steps until the next evaluation."""

    @abstractmethod
    def batches(self) -> Iterator[BatchType]:
        """All batches from the state's position on."""

    @abstractmethod
    def backward(self, batch: BatchType) -> StepLoss:
        """Computes the gradient of a batch's loss for each parameter of the model."""

    @abstractmethod
    def status(self, loss: float, rate: float) -> str:
        """A few words beside the progress bar about the last step."""

    def after_step(self, batch: BatchType, loss: StepLoss, rate: float) -> None:
        """Records a step, in curves or in the progress."""

    def evaluate(self) -> None:
        """Scores the model at the end of a stretch, and keeps it if it is to be kept."""

    def save(self) -> None:
        """Saves the state."""
        self.state.save()


def fit(training: Training[BatchType]) -> None:
    """Runs a training from the position of its state to its end.

    Raises:
        AsrError: the training diverged, or its state can't be written.
        Interrupted: Ctrl-C or SIGTERM; the state is saved.
    """
    progress = training.state.progress
    batches = training.batches()
    with stop_signal() as stop, bar(TextColumn("{task.fields[status]}")) as display:
        while not training.finished():
            stretch = training.stretch()
            task = display.add_task(
                stretch.title, total=stretch.total, completed=stretch.done, status=""
            )
            training.state.learner.model.train()
            start = time.perf_counter()
            for batch in islice(batches, stretch.steps):
                loss, rate = _step(training, batch)
                now = time.perf_counter()
                progress.wall, start = progress.wall + now - start, now
                display.update(task, advance=1, status=training.status(loss, rate))
                if progress.step % training.settings.checkpoint_every == 0:
                    training.save()
                if stop():
                    training.save()
                    raise Interrupted(
                        f"stopped; go on with --resume (state in {training.state.path})"
                    )
            if progress.step % training.settings.checkpoint_every:
                training.save()  # Evaluation takes minutes, and a model needs its state beside it.
            training.evaluate()
            progress.start_epoch()
            training.save()
            display.remove_task(task)


def _step(training: Training[BatchType], batch: BatchType) -> tuple[float, float]:
    """One step; returns its loss and its learning rate."""
    settings, learner, progress = training.settings, training.state.learner, training.state.progress
    rate = one_cycle(settings.peak_rate, settings.warm_up, training.fraction_done())
    learner.set_rate(rate)
    loss = training.backward(batch)
    if learner.update(loss.total):
        progress.count(loss)
    else:
        progress.bad_steps += 1
        progress.bad_in_a_row += 1
        if progress.bad_in_a_row >= training.max_bad_steps:
            raise AsrError(
                f"training has diverged in step {progress.step + 1}; lower "
                f"{training.section}peak_rate or {training.section}clip_norm (the loss or its "
                f"gradient was not finite in {_count(training.max_bad_steps)})"
            )
    progress.batch += 1
    progress.step += 1
    training.after_step(batch, loss, rate)
    return loss.main, rate


def _count(steps: int) -> str:
    return "this step" if steps == 1 else f"{steps} steps in a row"
