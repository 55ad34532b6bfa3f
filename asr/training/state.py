"""The training state: all that a run needs to go on as if it had never stopped.

It is a single file beside the model's folder, replaced whole, so a run killed at any moment finds
the last one intact. What follows from the recipe (learning rate, batches, augmentation) is not in
it; what chance and arithmetic have made (weights, moments, random states, position) is, and so are
the units, and a digest of the training data by which changed ones are known.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.amp.grad_scaler import GradScaler
from torch.optim.swa_utils import AveragedModel

from asr.config.loading import validate
from asr.config.schema import Recipe, TrainConfig
from asr.errors import AsrError
from asr.runtime.files import atomic
from asr.tokenizers.tokenizer import Tokenizer

# May differ between the two halves of a run: they don't change what is trained.
_FREE = {
    "data": {"cache", "test", "tune", "tables", "corpora"},
    "train": {"checkpoint_every", "workers"},
    "output": None,
    "before": None,
    "speller": None,
    "lm": None,
}

_NOTHING_YET = 0.9  # a WER above says nothing: it goes up and down while a model begins to spell


@dataclass
class Progress:
    """Where a run stands."""

    earlier: int = 0  # epochs of the stages before, whose draws are not drawn again
    epoch: int = 0  # epochs finished
    batch: int = 0  # batches of the current epoch finished
    step: int = 0  # batches finished in all
    seconds: float = 0.0  # of audio heard in the current epoch
    wall: float = 0.0  # seconds spent on the current epoch
    loss: float = 0.0  # summed over the units of the current epoch
    units: int = 0
    bad_steps: int = 0  # steps skipped because something was not finite
    bad_in_a_row: int = 0
    best_wer: float = float("inf")
    history: list[dict[str, float]] = field(default_factory=list)  # one entry an epoch

    def finished(self, config: TrainConfig) -> bool:
        """Whether all epochs are done, or as many as its patience bears brought nothing."""
        return self.epoch >= config.epochs or 0 < config.patience <= self.epochs_since_best()

    def epochs_since_best(self) -> int:
        """How many epochs lie behind the last one with the fewest word errors."""
        errors = [min(entry["dev_wer"], _NOTHING_YET) for entry in reversed(self.history)]
        return errors.index(min(errors)) if errors else 0

    def start_epoch(self) -> None:
        self.batch, self.units, self.seconds, self.wall, self.loss = 0, 0, 0.0, 0.0, 0.0


@dataclass
class TrainingState:
    """The objects whose contents are saved, and the position of the run."""

    recipe: Recipe
    precision: str
    tokenizers: tuple[Tokenizer, Tokenizer]  # of the main head, and of the intermediate one
    data: str  # digest of the training set
    model: nn.Module
    averaged: AveragedModel
    optimizers: tuple[torch.optim.Optimizer, ...]
    scaler: GradScaler
    progress: Progress

    def save(self, path: Path) -> None:
        record = {
            "recipe": self.recipe.model_dump(mode="json"),
            "precision": self.precision,
            "tokenizers": [tokenizer.to_json() for tokenizer in self.tokenizers],
            "data": self.data,
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "scaler": self.scaler.state_dict(),
            "progress": asdict(self.progress),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }
        with atomic(path) as temporary:
            torch.save(record, temporary)

    def restore(self, record: dict[str, Any]) -> None:
        """Takes over what :func:`read_state` read.

        Raises:
            AsrError: it was trained on other data, or can't be gone on from by this version.
        """
        if record.get("data", self.data) != self.data:  # the earliest states don't say
            raise AsrError(
                f"the training data of the run in {self.recipe.folder} have changed since it was "
                "started (utterances, transcripts or audio); restore them to resume it, or start "
                "anew with another output"
            )
        self.model.load_state_dict(record["model"])
        self.averaged.load_state_dict(record["averaged"])
        # Before there was a choice of optimizers a state had one.
        saved = record["optimizers"] if "optimizers" in record else [record["optimizer"]]
        for optimizer, contents in zip(self.optimizers, saved, strict=True):
            try:
                optimizer.load_state_dict(contents)
            except ValueError as error:  # biases of attention and peepholes were once decayed
                raise AsrError(
                    f"the run in {self.recipe.folder} was started by an earlier version that "
                    "decayed other weights; finish it with that one, or start anew with another "
                    "output"
                ) from error
            # A fused step walks through memory: moments must lie there as their weights do.
            for weight, moments in optimizer.state.items():
                for name, moment in moments.items():
                    if moment.shape == weight.shape:
                        moments[name] = torch.empty_like(weight).copy_(moment)
        self.scaler.load_state_dict(record["scaler"])
        vars(self.progress).update(asdict(Progress(**record["progress"])))
        torch.set_rng_state(record["random"])
        if record["random_cuda"] and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(record["random_cuda"])


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
    """Reads what torch saved.

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
