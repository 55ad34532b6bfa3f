"""The training state: all that a run needs to go on as if it had never stopped.

A state is a single file beside the model, replaced whole, so a run killed at any moment finds the
last one intact. It holds the results of the steps so far (weights, moments, random states,
position) and the inputs of the run (settings, units, digests of data), which a resumed run must
share. Learning rate, batches and augmentation follow from these and are not saved.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch

from asr.config.loading import validate
from asr.config.schema import Recipe
from asr.errors import AsrError
from asr.runtime.files import atomic
from asr.training.learner import Learner

# Settings that may differ between the two halves of a run: they don't change its weights.
_FREE = {
    "data": {"cache", "test", "tune", "tables", "corpora"},
    "train": {"checkpoint_every", "workers"},
    "output": None,
    "before": None,
    "speller": None,
    "lm": None,
}

_SMOOTHING = 0.99  # of the smoothed loss, per step


@dataclass(frozen=True)
class StepLoss:
    """The loss of one batch."""

    total: float  # minimised, per unit
    main: float  # of the main head alone, per unit; shown
    units: int  # in the targets of the batch


@dataclass
class Progress:
    """The position of a run. An epoch is the stretch between two evaluations."""

    epoch: int = 0  # epochs finished
    batch: int = 0  # batches finished in the current epoch
    step: int = 0  # batches finished in all
    wall: float = 0.0  # seconds spent on the steps of the current epoch
    loss: float = 0.0  # summed over the units of the current epoch
    units: int = 0
    smoothed_loss: float = math.nan  # exponentially, over steps
    bad_steps: int = 0  # steps skipped because something was not finite
    bad_in_a_row: int = 0
    history: list[dict[str, float]] = field(default_factory=list)  # an entry for each evaluation

    def count(self, loss: StepLoss) -> None:
        """Adds the loss of a step that updated the weights."""
        self.loss += loss.main * loss.units
        self.units += loss.units
        if math.isnan(self.smoothed_loss):
            self.smoothed_loss = loss.main
        else:
            self.smoothed_loss = _SMOOTHING * self.smoothed_loss + (1 - _SMOOTHING) * loss.main
        self.bad_in_a_row = 0

    def start_epoch(self) -> None:
        """Ends the current epoch."""
        self.epoch += 1
        self.batch, self.units, self.wall, self.loss = 0, 0, 0.0, 0.0


ProgressType = TypeVar("ProgressType", bound=Progress)


@dataclass
class TrainingState(Generic[ProgressType]):
    """The objects whose contents are saved."""

    path: Path
    origin: dict[str, Any]  # inputs of the run as plain values, saved by these keys
    learner: Learner
    progress: ProgressType
    saved_step: int | None = None  # the step of the state in the file

    def save(self) -> None:
        """Saves the state.

        Raises:
            AsrError: it can't be written; the state before it stays.
        """
        record = {
            **self.origin,
            **self.learner.state_dict(),
            "progress": asdict(self.progress),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }
        try:
            _write(record, self.path)
        except AsrError as error:
            if self.saved_step is None:
                raise AsrError(f"{error}; no state has been saved yet") from error
            raise AsrError(
                f"{error}; the state of step {self.saved_step} stays there: go on with --resume "
                "when it can"
            ) from error
        self.saved_step = self.progress.step

    def restore(self, record: dict[str, Any]) -> None:
        """Restores the contents of a record from :func:`read_record`.

        Raises:
            AsrError: this version can't go on from the state.
        """
        try:
            self.learner.load_state_dict(record)
        except AsrError as error:
            raise AsrError(f"the run in {self.path.parent} {error}") from error
        vars(self.progress).update(asdict(type(self.progress)(**record["progress"])))
        self.saved_step = self.progress.step
        torch.set_rng_state(record["random"])
        if record.get("random_cuda") and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(record["random_cuda"])


def _write(record: dict[str, Any], path: Path) -> None:
    """Writes the file that :func:`read_record` reads, atomically."""
    with atomic(path) as temporary, open(temporary, "wb") as file:
        try:
            torch.save(record, file)
        except RuntimeError as error:  # torch hides a full disk behind an error of its own
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise


def read_stopped(path: Path, resume: bool) -> dict[str, Any] | None:
    """The state of a stopped training whose state is deleted when it ends; None without one.

    Raises:
        AsrError: the training is not to be resumed, or the file is damaged.
    """
    if not path.exists():
        return None
    if not resume:
        raise AsrError(
            f"{path} holds a training that was stopped; go on with --resume or delete it"
        )
    return read_record(path)


def read_state(path: Path, recipe: Recipe) -> dict[str, Any]:
    """Reads a saved state and checks that it belongs to ``recipe``.

    Raises:
        AsrError: the file is damaged, or was made by a recipe that would train otherwise.
    """
    record = read_record(path)
    # Settings that are newer than the run have their defaults, which change nothing.
    before = validate(Recipe, record["recipe"], f"the training state {path}")
    changed = _differences(before.model_dump(mode="json"), recipe.model_dump(mode="json"), _FREE)
    if changed:
        raise AsrError(
            f"the run in {path.parent} was started with other settings ({', '.join(changed)}); "
            "restore them to resume it, or start anew with another output"
        )
    return record


def read_record(path: Path) -> dict[str, Any]:
    """Reads a state file as plain values.

    Raises:
        AsrError: the file is damaged.
    """
    try:
        record = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged files make the unpickler raise whatever comes
        raise AsrError(f"the training state {path} is damaged; start the run anew") from error
    if not isinstance(record, dict):
        raise AsrError(f"the training state {path} is damaged; start the run anew")
    return record


def _differences(
    old: dict[str, Any], new: dict[str, Any], free: dict[str, Any], prefix: str = ""
) -> list[str]:
    changed = []
    for key in sorted(old.keys() | new.keys()):
        if key in free and free[key] is None:
            continue
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            inner = dict.fromkeys(free.get(key) or ())
            changed += _differences(before, after, inner, f"{prefix}{key}.")
        elif before != after:
            changed.append(prefix + key)
    return changed
