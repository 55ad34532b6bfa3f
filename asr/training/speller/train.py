"""Training of a speller on the encoder outputs of recordings and on synthesised ones of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from asr.acoustic.card import speller_card
from asr.acoustic.checkpoint import Checkpoint, load_model, save_model
from asr.acoustic.folder import WEIGHTS
from asr.acoustic.network import AcousticModel, dropout_generator
from asr.config.schema import Recipe, SpellerRecipe
from asr.errors import AsrError
from asr.runtime.files import digest, remove
from asr.runtime.parallel import prefetch, run_in_threads
from asr.runtime.progress import console, report_skipped
from asr.tokenizers.tokenizer import BpeTokenizer
from asr.training.batch import Targets
from asr.training.ctc_loss import ctc
from asr.training.dataset import TrainingSet, load_training_set
from asr.training.dev_set import DevSet
from asr.training.gradients import set_gradients
from asr.training.learner import Learner
from asr.training.lock import sole_training
from asr.training.loop import Stretch, Training, fit
from asr.training.speller.encoded_recordings import encode_recordings
from asr.training.speller.examples import Example, ExampleBatch, ExampleSource
from asr.training.speller.network import with_speller
from asr.training.speller.segment_inventory import END
from asr.training.speller.text_source import Sentences
from asr.training.state import Progress, StepLoss, TrainingState, read_stopped

_SAMPLE = 200_000  # sentences that units are learned from
_EVALUATIONS = 20  # of a training, on the dev set


def train_speller(
    recipe: Recipe, source: Path, output: Path, texts: Sequence[Path], *, resume: bool = False
) -> Path:
    """Adds a trained speller to a trained model; returns ``output``.

    Every call encodes the recordings anew: minutes, and 19 kB on disk for a second of each version
    until training ends.

    Args:
        recipe: its ``speller``, and its training and dev data.
        source: the model's folder.
        output: for the new model's folder; beside it, ``output.state`` is the state of a stopped
            training.
        texts: files as :func:`asr.corpora.text_blocks.read_blocks` takes them.
        resume: go on from the state, if there is one. The weights are then the same, to the bit,
            as those of a training that was not stopped.

    Raises:
        AsrError: the model, the data or a text won't do, or training diverged, was stopped before
            and is not to be resumed, or runs in another process.
        Interrupted: Ctrl-C; the state is saved.
    """
    state_path = output.with_name(output.name + ".state")
    with sole_training(state_path):
        _train(recipe, source, output, texts, resume)
        remove(state_path)
    return output


def _train(recipe: Recipe, source: Path, output: Path, texts: Sequence[Path], resume: bool) -> None:
    config = recipe.speller or SpellerRecipe()
    state_path = output.with_name(output.name + ".state")
    record = read_stopped(state_path, resume)
    if (output / WEIGHTS).exists() and not resume:
        raise AsrError(f"{output} holds a model, which would be overwritten; set another output")
    base = _load_base(source)
    torch.manual_seed(config.seed)
    sentences = Sentences(texts)
    if not len(sentences):
        raise AsrError(f"there is no word in {', '.join(map(str, texts))}")
    checkpoint = _new_checkpoint(base, config, sentences)
    model = checkpoint.model
    training_set, dev_set = _load_data(recipe, config, checkpoint)
    made_from = {
        "weights": digest(source / WEIGHTS),
        "speller": config.model_dump(mode="json"),
        "data": training_set.digest,
        "texts": sentences.digest,
    }
    learner = Learner.create(_MainHead(model), config, "float32", torch.device("cpu"))
    state = TrainingState(state_path, {"made_from": made_from}, learner, SpellerProgress())
    if record:
        _restore(state, record, config)
    averaged = cast(_MainHead, learner.average)
    model.speller, model.head = averaged.speller, averaged.head
    path = output.with_name(output.name + ".encoded")
    with encode_recordings(model, training_set, config.versions, config.seed, path) as recordings:
        tokenizers = checkpoint.tokenizer, checkpoint.intermediate_tokenizer
        examples = ExampleSource(config, recordings, sentences, training_set, *tokenizers, model)
        fit(SpellerTraining(config, state, examples, checkpoint, dev_set))
    parameters = sum(p.numel() for p in model.parameters())
    last = state.progress.history[-1]
    card = speller_card(recipe, config, source, len(dev_set), parameters, last)
    save_model(output, checkpoint, card)


@dataclass
class SpellerProgress(Progress):
    """The position of a speller's training."""

    pool: int = 0  # of the next batch, see ExampleSource.batches
    pool_batch: int = 0


class SpellerTraining(Training[ExampleBatch]):
    """A training of the main head; an epoch is the stretch between two scorings of the dev set."""

    def __init__(
        self,
        config: SpellerRecipe,
        state: TrainingState[SpellerProgress],
        examples: ExampleSource,
        checkpoint: Checkpoint,
        dev_set: DevSet,
    ) -> None:
        super().__init__(config, state, "speller.")
        self.steps = config.steps
        self.progress = state.progress
        self.examples = examples
        self.checkpoint = checkpoint
        self.dev_set = dev_set

    def finished(self) -> bool:
        return self.progress.epoch * _interval(self.steps) >= self.steps

    def fraction_done(self) -> float:
        return self.progress.step / self.steps

    def stretch(self) -> Stretch:
        end = min(self.steps, (self.progress.epoch + 1) * _interval(self.steps))
        step = self.progress.step
        return Stretch(end - step, "training", self.steps, step)

    def batches(self) -> Iterator[ExampleBatch]:
        batches = self.examples.batches(self.progress.pool, self.progress.pool_batch)
        return prefetch(batches, lambda batch: batch)

    def backward(self, batch: ExampleBatch) -> StepLoss:
        """The gradient of the mean CTC loss of a unit, of each half of a batch in a thread."""
        model = self.state.learner.model
        parameters = list(model.parameters())
        examples = batch.examples
        total = sum(len(units) for _, units in examples)

        def differentiate(part: Sequence[Example], seed: int) -> tuple[float, Sequence[Tensor]]:
            lengths = torch.tensor([len(rows) for rows, _ in part])
            targets = Targets.of([units for _, units in part])
            rows = pad_sequence([rows for rows, _ in part], batch_first=True).float()
            with dropout_generator(torch.Generator().manual_seed(seed)):
                log_probs = model(rows, lengths)
            loss = ctc(log_probs, lengths, targets.units, targets.lengths) / total
            return float(loss.detach()), torch.autograd.grad(loss, parameters)

        parts = [examples[::2], examples[1::2]] if len(examples) > 1 else [examples]
        seeds = torch.randint(1 << 62, (len(parts),)).tolist()
        results = run_in_threads(
            [partial(differentiate, part, seed) for part, seed in zip(parts, seeds, strict=True)]
        )
        set_gradients(parameters, [gradients for _, gradients in results])
        loss = sum(loss for loss, _ in results)
        return StepLoss(loss, loss, total)

    def after_step(self, batch: ExampleBatch, loss: StepLoss, rate: float) -> None:
        self.progress.pool, self.progress.pool_batch = batch.pool, batch.number + 1

    def status(self, loss: float, rate: float) -> str:
        return f"loss {self.progress.smoothed_loss:.3f}"

    def evaluate(self) -> None:
        """Greedy error rates on the dev set with the averaged weights."""
        progress = self.progress
        self.checkpoint.model.eval()
        result = self.dev_set.score(self.checkpoint, torch.device("cpu"))
        console.print(
            f"step {progress.step}/{self.steps}  "
            f"dev WER {100 * result.wer:.2f}, CER {100 * result.cer:.2f}",
            highlight=False,
        )
        progress.history.append(
            {
                "step": progress.step,
                "loss": progress.smoothed_loss,
                "dev_wer": result.wer,
                "dev_cer": result.cer,
            }
        )


class _MainHead(nn.Module):
    """The part of a model that is trained: the speller and the main head."""

    def __init__(self, model: AcousticModel) -> None:
        super().__init__()
        assert model.speller is not None
        self.speller = model.speller
        self.head = model.head

    def forward(self, rows: Tensor, lengths: Tensor) -> Tensor:
        log_probs: Tensor = self.head(self.speller(rows, lengths))
        return log_probs


def _load_base(source: Path) -> Checkpoint:
    """The model that a speller is added to; its intermediate head aligns the recordings."""
    base = load_model(source)
    if base.model.intermediate_head is None or len(base.intermediate_tokenizer) > END:
        raise AsrError(
            f"the model {source} has no second head of phones or characters to cut recordings by; "
            "train one with model.intermediate_layer"
        )
    return base


def _new_checkpoint(base: Checkpoint, config: SpellerRecipe, sentences: Sentences) -> Checkpoint:
    """The model with an untrained speller, and BPE units of the sentences."""
    tokenizer = BpeTokenizer.train(sentences.spread(_SAMPLE), config.units, "speller.units")
    phones = base.intermediate_tokenizer
    model = with_speller(base.model, len(tokenizer), len(phones), config.shape, config.bottleneck)
    return Checkpoint(model, tokenizer, phones)


def _load_data(
    recipe: Recipe, config: SpellerRecipe, checkpoint: Checkpoint
) -> tuple[TrainingSet, DevSet]:
    model = checkpoint.model
    tokenizers = checkpoint.tokenizer, checkpoint.intermediate_tokenizer
    training_set, problems = load_training_set(
        recipe.data, config.augment, tokenizers, model.config.mel_bins, model.output_length
    )
    dev_set, unread = DevSet.load(recipe.data)
    report_skipped(problems + unread)
    return training_set, dev_set


def _restore(
    state: TrainingState[SpellerProgress], record: dict[str, Any], config: SpellerRecipe
) -> None:
    """Takes over a stopped training, if it is of the same settings, data and texts."""
    if record.get("made_from") != state.origin["made_from"]:
        raise AsrError(
            f"{state.path} is of a training with other settings, data or texts; restore them to go "
            "on, or delete it to start anew"
        )
    if "place" in record:  # states before the common training loop
        step, pool, pool_batch = record["place"]
        epoch, batch = divmod(step, _interval(config.steps))
        record = record | {
            "model": record["top"],
            "progress": {
                "epoch": epoch,
                "batch": batch,
                "step": step,
                "pool": pool,
                "pool_batch": pool_batch,
                "history": record["history"],
            },
        }
    state.restore(record)


def _interval(steps: int) -> int:
    """Steps between two evaluations."""
    return max(1, steps // _EVALUATIONS)
