"""Training: a recipe to a model's folder.

RUN/model/       the averaged weights of the best epoch so far, ready to transcribe; of the last
                 one where a head learns against a denominator
RUN/state.pt     what --resume goes on from
RUN/events.*     curves for TensorBoard
"""

from __future__ import annotations

import functools
import math
import os
import time
from itertools import chain, islice
from pathlib import Path
from typing import Any, cast

import torch
from rich.progress import Progress as ProgressBar
from rich.progress import TextColumn
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from asr.acoustic import card
from asr.acoustic.checkpoint import Checkpoint, save_model
from asr.acoustic.folder import find_model, read_weights
from asr.acoustic.network import AcousticModel
from asr.config.schema import HeadName, Recipe, TrainConfig, UnitKind
from asr.errors import AsrError
from asr.runtime.device import choose_device, choose_precision
from asr.runtime.interrupt import Interrupted, stop_signal
from asr.runtime.parallel import prefetch
from asr.runtime.progress import bar, console, report_skipped
from asr.tokenizers.tokenizer import (
    BpeTokenizer,
    CharacterTokenizer,
    PhoneTokenizer,
    Tokenizer,
    from_json,
)
from asr.training.batch import Batch
from asr.training.dataset import (
    Draw,
    TrainingSet,
    load_batches,
    load_training_set,
    loaders_named,
    plan_epoch,
    read_manifests,
)
from asr.training.denominator import MOST_UNITS, trigram
from asr.training.dev_set import DevSet
from asr.training.gradients import backward
from asr.training.optimizers import make_optimizers, one_cycle, set_rate
from asr.training.state import Progress, TrainingState, read_state

STATE = "state.pt"
MODEL = "model"

_Prepared = tuple[Batch, Tensor, Tensor]  # a batch, its features and their lengths, on the device


def train(recipe: Recipe, resume: bool = False) -> Path:
    """Trains what ``recipe`` says, its earlier stages first, and returns the folder of the model.

    Args:
        resume: go on from the state that the run left behind, if it left one; a finished run is
            left as it is. A run resumed on the CPU ends with the same weights, to the bit, as one
            that was never stopped.

    Raises:
        AsrError: the data or the recipe won't do, a model would be overwritten, or the training
            diverged.
        Interrupted: Ctrl-C; the state is saved.
    """
    config = recipe.train
    folder = recipe.folder
    state_path = folder / STATE
    if state_path.exists() and not resume:
        raise AsrError(f"{folder} holds a run already; go on with --resume or set another output")
    record = read_state(state_path, recipe) if state_path.exists() else None
    if not record and (folder / MODEL).exists():
        raise AsrError(
            f"{folder / MODEL} would be overwritten: the state of its training, {STATE}, is not "
            "there to go on from; set another output or move the model away"
        )
    if record and Progress(**record["progress"]).finished(config):
        return folder / MODEL
    init_from = recipe.init_from
    if recipe.before and not record:
        init_from = str(train(recipe.before, resume))

    device = choose_device(config.device)
    precision = choose_precision(record["precision"] if record else config.precision, device)
    torch.manual_seed(recipe.seed)
    saved = record.get("tokenizers") if record else None  # the earliest states have none
    tokenizer = _make_tokenizer(recipe, recipe.units.kind, saved and saved[0])
    intermediate = tokenizer
    if recipe.units.intermediate not in (None, recipe.units.kind):
        intermediate = _make_tokenizer(recipe, recipe.units.intermediate, saved and saved[1])
    model = AcousticModel(recipe.model, len(tokenizer), len(intermediate)).to(device)
    if init_from and not record:
        _initialise(model, init_from)
    averaging = get_ema_multi_avg_fn(config.average_decay)  # type: ignore[no-untyped-call]
    averaged = AveragedModel(model, multi_avg_fn=averaging)
    average = cast(AcousticModel, averaged.module)
    checkpoint = Checkpoint(average.eval(), tokenizer, intermediate)
    training, problems = load_training_set(
        recipe.data,
        recipe.augment,
        (tokenizer, intermediate),
        recipe.model.mel_bins,
        model.output_length,
    )
    report_skipped(problems)
    models = _unit_models(recipe, training, (tokenizer, intermediate), device)
    state = TrainingState(
        recipe,
        precision,
        (tokenizer, intermediate),
        training.digest,
        model,
        averaged,
        make_optimizers(
            config.optimizer,
            model,
            config.peak_rate,
            config.weight_decay,
            torch.float32 if precision == "float32" else torch.bfloat16,
        ),
        GradScaler(device.type, enabled=precision == "float16"),
        Progress(earlier=sum(stage.train.epochs for stage in recipe.stages[:-1])),
    )
    if record:
        state.restore(record)
    progress = state.progress

    dev_set, problems = DevSet.load(recipe.data)
    report_skipped(problems)
    hours = sum(training.cache.samples(i) for i in range(len(training.cache))) / 16_000 / 3600
    parameters = sum(p.numel() for p in model.parameters())
    console.print(
        f"{recipe.name}: {len(training.targets)} utterances, {hours:.2f} h; "
        f"{parameters / 1e6:.1f} M parameters on {device} in {precision}"
        + (f"; resumed in epoch {progress.epoch + 1}" if record else "")
    )
    workers = _loaders(device) if config.workers == "auto" else config.workers

    @functools.lru_cache(maxsize=2)  # the loader asks, and the loop
    def plan(epoch: int) -> list[list[Draw]]:
        return plan_epoch(
            training,
            recipe.seed,
            progress.earlier + epoch,
            config.batch_seconds,
            views(config, epoch),
            short_first=config.short_first and epoch == 0,
        )

    # One loader for all epochs: while the dev set is scored it makes the next one's first batches.
    to_come = chain.from_iterable(plan(epoch) for epoch in range(progress.epoch, config.epochs))
    loader = load_batches(
        training,
        islice(to_come, progress.batch, None),
        workers,
        pinned=device.type == "cuda",
    )

    def prepare(batch: Batch) -> _Prepared:
        batch = batch.to(device)
        return batch, *batch.features()

    batches = prefetch(loader, prepare) if device.type == "cpu" else map(prepare, loader)

    from torch.utils.tensorboard import SummaryWriter  # here: it takes a second to import

    # What an earlier process wrote behind the state is hidden: it is going to be done again.
    curves = SummaryWriter(folder, purge_step=progress.step + 1)

    def save() -> None:
        curves.flush()  # what the state has behind it is not written again
        state.save(state_path)

    with loaders_named(), stop_signal() as stop, _progress_bar() as display:
        while not progress.finished(config):
            count = len(plan(progress.epoch))
            task = display.add_task(
                f"epoch {progress.epoch + 1}/{config.epochs}", total=count, status=""
            )
            display.update(task, completed=progress.batch)
            start = time.perf_counter()
            model.train()
            for prepared in islice(batches, count - progress.batch):
                done = (progress.epoch + progress.batch / count) / config.epochs
                rate = one_cycle(config.peak_rate, config.warm_up, done)
                loss = _step(state, prepared, rate, models)
                progress.batch += 1
                progress.step += 1
                progress.seconds += prepared[0].seconds
                now = time.perf_counter()
                progress.wall, start = progress.wall + now - start, now
                if math.isfinite(loss):
                    curves.add_scalar("train/loss", loss, progress.step)
                    curves.add_scalar("train/rate", rate, progress.step)
                speed = progress.seconds / progress.wall
                status = f"loss {loss:.3f}  rate {rate:.1e}  {speed:.0f} audio-s/s"
                display.update(task, completed=progress.batch, status=status)
                if progress.step % config.checkpoint_every == 0:
                    save()
                if stop():
                    save()
                    curves.close()
                    raise Interrupted(f"stopped; go on with --resume (state in {state_path})")

            if not state_path.exists():  # a model must never lie there without one
                save()
            result = dev_set.score(checkpoint, device)
            entry = {
                "epoch": progress.epoch + 1,
                "loss": progress.loss / max(1, progress.units),
                "dev_wer": result.wer,  # of phones if those are the units
                "dev_cer": result.cer,
                "audio_seconds_per_second": progress.seconds / progress.wall,
                "wall_seconds": progress.wall,
                "bad_steps": progress.bad_steps,
            }
            progress.history.append(entry)
            for key, value in entry.items():
                curves.add_scalar(f"epoch/{key}", value, progress.step)
            console.print(_epoch_line(entry, recipe))
            best = result.wer <= progress.best_wer
            progress.best_wer = min(progress.best_wer, result.wer)
            # Greedily read, a head says little of what a search makes of it behind a denominator.
            if best or models:
                text = card.training_card(recipe, hours, len(dev_set), parameters, progress.history)
                save_model(folder / MODEL, checkpoint, text)
            progress.epoch += 1
            progress.start_epoch()
            save()
            display.remove_task(task)
    if progress.epoch < config.epochs:
        console.print(
            f"ended early: no epoch since {progress.epoch - config.patience} had fewer wrong words"
        )
    curves.close()
    return folder / MODEL


def views(config: TrainConfig, epoch: int) -> int:
    """How often an utterance stands in its batch in an epoch, counted from 0."""
    consistent = config.consistency_weight and epoch >= config.consistency_start * config.epochs
    return 2 if consistent else 1


def _loaders(device: torch.device) -> int:
    """How many processes make batches: a GPU is fast enough to wait for fewer than all cores."""
    return max(1, (os.cpu_count() or 1) - 2) if device.type == "cuda" else 0


def _unit_models(
    recipe: Recipe,
    training: TrainingSet,
    tokenizers: tuple[Tokenizer, Tokenizer],
    device: torch.device,
) -> dict[HeadName, Tensor]:
    """The language model of a head's units, if it learns against a denominator."""
    if not recipe.train.denominator_weight:
        return {}
    head = recipe.train.denominator_head
    main = head == "main"
    targets = training.targets if main else training.intermediate
    units = len(tokenizers[0] if main else tokenizers[1])
    if units > MOST_UNITS:
        raise AsrError(
            f"train.denominator_weight: the {units} units of the {head} head are too many for a "
            f"denominator, which takes {MOST_UNITS}; set units to phones, characters or a smaller "
            "units.size, or the weight to 0"
        )
    return {head: trigram(targets, units).to(device)}


def _step(
    state: TrainingState, prepared: _Prepared, rate: float, models: dict[HeadName, Tensor]
) -> float:
    """One update of the weights; returns the loss of the main head.

    A loss or gradient that is not finite leaves the weights as they are and is counted.
    """
    config, progress = state.recipe.train, state.progress
    for optimizer in state.optimizers:
        set_rate(optimizer, rate)
    batch, features, lengths = prepared
    loss, main = backward(
        state.model, batch, features, lengths, config, state.precision, state.scaler, models
    )
    for optimizer in state.optimizers:
        state.scaler.unscale_(optimizer)
    norm = nn.utils.clip_grad_norm_(state.model.parameters(), config.clip_norm)
    finite = math.isfinite(loss) and math.isfinite(norm)
    if finite:
        for optimizer in state.optimizers:
            state.scaler.step(optimizer)
        state.averaged.update_parameters(state.model)
        units = int(batch.targets.lengths.sum())
        progress.loss += main * units
        progress.units += units
        progress.bad_in_a_row = 0
    else:
        progress.bad_steps += 1
        progress.bad_in_a_row += 1
        if progress.bad_in_a_row >= config.max_bad_steps:
            raise AsrError(
                f"the loss or its gradient was not finite in {config.max_bad_steps} steps in a "
                "row: training has diverged; lower train.peak_rate or train.clip_norm"
            )
    state.scaler.update()
    return main


def _make_tokenizer(recipe: Recipe, kind: UnitKind, saved: dict[str, Any] | None) -> Tokenizer:
    """The units of a head: those that a run's state has ``saved``, or new ones."""
    if saved:
        return from_json(saved)
    if kind == "characters":
        return CharacterTokenizer()
    if kind == "phones":
        return PhoneTokenizer()
    texts = (utterance.text for utterance in read_manifests(recipe.data, recipe.data.train))
    return BpeTokenizer.train(texts, recipe.units.size)


def _initialise(model: nn.Module, name: str) -> None:
    """Takes over the weights of another model wherever name and shape agree."""
    stored = read_weights(find_model(name))
    source = {key: torch.from_numpy(value) for key, value in stored.items()}
    own = model.state_dict()
    fitting = {key: value for key, value in source.items() if _fits(value, own.get(key))}
    if not fitting:
        raise AsrError(f"no weight of {name} (init_from) fits the model of this recipe")
    model.load_state_dict(fitting, strict=False)
    fresh = [key for key in own if key not in fitting]
    if fresh:
        console.print(f"not in {name}, so initialised anew: {', '.join(fresh)}")


def _fits(value: Tensor, own: Tensor | None) -> bool:
    return own is not None and value.shape == own.shape


def _epoch_line(entry: dict[str, float], recipe: Recipe) -> str:
    return (
        f"epoch {entry['epoch']:.0f}/{recipe.train.epochs}  loss {entry['loss']:.3f}  "
        f"dev {card.error_rates(recipe.units, entry)}  "
        f"{entry['audio_seconds_per_second']:.0f} audio-s/s"
        + (f"  skipped steps {entry['bad_steps']:.0f}" if entry["bad_steps"] else "")
    )


def _progress_bar() -> ProgressBar:
    return bar(TextColumn("{task.fields[status]}"))
