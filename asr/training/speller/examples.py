"""Training examples of a speller: recordings, and sentences synthesised from their segments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from asr.acoustic.network import AcousticModel
from asr.config.schema import SpellerRecipe
from asr.errors import AsrError
from asr.features.mel import FRAMES_PER_SECOND
from asr.tokenizers.tokenizer import Tokenizer, UnrepresentableText
from asr.training.dataset import TrainingSet, frames_needed
from asr.training.speller.encoded_recordings import EncodedRecordings
from asr.training.speller.segment_inventory import Rows
from asr.training.speller.text_source import PronunciationSampler, Sentences

_POOL = 512  # examples that are sorted by length together
_TRIES = 20  # sentences and recordings tried at most for each example of a pool

Example = tuple[Tensor, list[int]]  # encoder outputs, shape (frames, width), and target units


@dataclass(frozen=True)
class ExampleBatch:
    """Examples of like length."""

    pool: int  # the pool of examples that the batch was cut from
    number: int  # of the batch in its pool
    examples: list[Example]


@dataclass(frozen=True)
class ExampleSource:
    """Endless random examples; all chance is drawn from (seed, pool)."""

    config: SpellerRecipe
    recordings: EncodedRecordings
    sentences: Sentences
    training_set: TrainingSet
    tokenizer: Tokenizer  # of the main head
    intermediate_tokenizer: Tokenizer
    model: AcousticModel

    def batches(self, pool: int, number: int) -> Iterator[ExampleBatch]:
        """Batches without end, from batch ``number`` of ``pool`` on."""
        pronunciations = PronunciationSampler(self.intermediate_tokenizer)
        while True:
            for index, examples in enumerate(self._pool(pronunciations, pool)):
                if index >= number:
                    yield ExampleBatch(pool, index, examples)
            pool, number = pool + 1, 0

    def _pool(self, pronunciations: PronunciationSampler, pool: int) -> list[list[Example]]:
        """The batches of a pool, in random order.

        Raises:
            AsrError: hardly any sentence or recording fits its frames.
        """
        random = np.random.default_rng((self.config.seed, pool))
        examples: list[Example] = []
        for _ in range(_POOL * _TRIES):
            from_text = random.random() < self.config.text
            rows, units = (
                self._synthesise(pronunciations, random) if from_text else self._recording(random)
            )
            if units and frames_needed(units) <= len(rows):
                examples.append((torch.from_numpy(rows), units))
            if len(examples) == _POOL:
                break
        if not examples:
            raise AsrError(
                f"none of {_POOL * _TRIES} sentences and recordings fits {self.config.units} "
                "units: words have no pronunciation, or there are fewer frames than units; raise "
                "speller.units or look at the texts"
            )
        examples.sort(key=lambda example: len(example[0]))
        most = self._batch_frames()
        batches: list[list[Example]] = [[]]
        for example in examples:
            if len(example[0]) * (len(batches[-1]) + 1) > most:
                batches.append([])
            batches[-1].append(example)
        return [batches[i] for i in random.permutation(len(batches)) if batches[i]]

    def _batch_frames(self) -> float:
        """Encoder output frames of a batch."""
        encoder = self.model.encoder
        frames = FRAMES_PER_SECOND / 2 ** len(self.model.config.front_end.channels)
        stacked = encoder.frames_stacked(self.model.config.encoder.layers)
        return float(self.config.batch_seconds * frames / stacked)

    def _synthesise(
        self, pronunciations: PronunciationSampler, random: np.random.Generator
    ) -> tuple[Rows, list[int]]:
        """A random sentence with synthesised encoder outputs; empty if a word can't be spelled."""
        text = self.sentences.sample(random)
        inventory = self.recordings.inventory
        try:
            pronounced, units = pronunciations.sample(text, random), self.tokenizer.encode(text)
        except UnrepresentableText:
            return inventory.rows[:0], []
        seed = int(random.integers(1 << 31))
        return inventory.synthesise(pronounced, self.config.longest, seed), units

    def _recording(self, random: np.random.Generator) -> tuple[Rows, list[int]]:
        """A random recording."""
        index = int(random.integers(len(self.recordings.frames)))
        start, end = self.recordings.frames[index]
        units = self.training_set.targets[self.recordings.utterances[index]]
        return self.recordings.inventory.rows[start:end].copy(), list(units)
