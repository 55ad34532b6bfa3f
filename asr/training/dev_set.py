"""The dev set of a training, on which its model is scored after every epoch."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from asr.acoustic.checkpoint import Checkpoint
from asr.audio.read import Samples
from asr.config.data import DataConfig
from asr.corpora.manifest import Utterance
from asr.decoding import GreedyDecoder
from asr.inference.torch_engine import TorchEngine
from asr.scoring.error_rates import Score, score
from asr.training.audio_cache import open_cache
from asr.training.dataset import manifest_path, read_manifests
from asr.transcription.recogniser import Recogniser

_BATCH_SIZE = 16


@dataclass(frozen=True)
class DevSet:
    """Utterances and their audio, in memory."""

    utterances: list[Utterance]
    signals: list[Samples]

    def __len__(self) -> int:
        return len(self.utterances)

    @classmethod
    def load(cls, config: DataConfig) -> tuple[DevSet, list[str]]:
        """An evenly spaced part of a recipe's dev set; one sentence for each bad utterance."""
        everything = read_manifests(config, config.dev)
        count = min(config.dev_utterances, len(everything))
        chosen = [everything[i * len(everything) // count] for i in range(count)]
        name = "+".join(manifest_path(config, part).stem for part in config.dev)
        cache, held, problems = open_cache(config.cache, f"{name}-{count}", chosen)
        return cls(held, [cache[index] for index in range(len(held))]), problems

    def score(self, checkpoint: Checkpoint, device: torch.device) -> Score:
        """Greedy error rates: of words, or of phones if the main head emits those."""
        tokenizer = checkpoint.tokenizer
        engine = TorchEngine(checkpoint.model, device)
        recogniser = Recogniser(engine, tokenizer, GreedyDecoder(tokenizer))
        order = sorted(range(len(self)), key=lambda i: len(self.signals[i]))
        hypotheses = [""] * len(self)
        for start in range(0, len(order), _BATCH_SIZE):
            some = order[start : start + _BATCH_SIZE]
            results = recogniser.recognise([self.signals[i] for i in some])
            for index, result in zip(some, results, strict=True):
                hypotheses[index] = result[0].text
        return score([tokenizer.transcript(each.text) for each in self.utterances], hypotheses)
