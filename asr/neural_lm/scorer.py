"""Scores the n-best list of an utterance with an LSTM language model, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr.inference import kernels
from asr.inference.kernels import Floats, Weights
from asr.neural_lm.file import BORDER, UNSPELLED, RecurrentFile, read_recurrent
from asr.tokenizers.tokenizer import UnrepresentableText

_OUTPUT_BATCH = 128  # prefixes whose output layers are computed in one product


@dataclass(frozen=True)
class _Layer:
    weights: Weights  # input matrix above hidden matrix; the first layer has the latter alone
    bias: Floats  # (4 * hidden,)


@dataclass(frozen=True)
class _Memory:
    """Hidden states and cells of a layer after several prefixes, each (prefixes, hidden)."""

    hidden: Floats
    cell: Floats


class RecurrentScorer:
    """Computes P(text) as :meth:`asr.neural_lm.network.RecurrentModel.log_probs` does.

    Common prefixes of the texts are computed once: hypotheses of an n-best list are much alike.
    """

    def __init__(self, stored: RecurrentFile) -> None:
        self.tokenizer = stored.tokenizer
        weights = stored.weights
        self._output = kernels.pack(weights["embedding.weight"].T.astype(np.float16))
        self._bias = weights["bias"]
        # The first layer's products with embeddings are tabulated: a third of all products.
        enter = kernels.pack(weights["lstm.weight_ih_l0"].T.astype(np.float16))
        self._entries = kernels.affine(
            weights["embedding.weight"], enter, np.zeros(enter.shape[1], np.float32)
        )
        self._layers = []
        for layer in range(stored.config.layers):
            both = [weights[f"lstm.weight_{part}_l{layer}"].T for part in ("ih", "hh")]
            read = np.concatenate(both if layer else both[1:])
            bias = weights[f"lstm.bias_ih_l{layer}"] + weights[f"lstm.bias_hh_l{layer}"]
            self._layers.append(_Layer(kernels.pack(read.astype(np.float16)), bias))
        nothing = np.zeros((1, stored.config.hidden), np.float32)
        self._initial = [_Memory(nothing, nothing) for _ in self._layers]

    def log_probs(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """The natural logarithms of P(text), the end of the sentence included."""
        found = np.full(len(texts), UNSPELLED)
        spelled: dict[int, list[int]] = {}
        for index, text in enumerate(texts):
            try:
                spelled[index] = [*self.tokenizer.encode(text), BORDER]
            except UnrepresentableText:
                continue
        found[list(spelled)] = 0.0
        place = dict.fromkeys(spelled, 0)  # index of each text's prefix among those of its length
        memories, latest, parents = self._initial, [BORDER], [0]
        hidden: list[Floats] = []  # after prefixes of several lengths
        wanted: list[tuple[int, int, int]] = []  # probabilities to look up: row, unit, text
        rows = 0
        for length in count():
            if not place:
                return found
            memories = self._advance(latest, parents, memories)
            hidden.append(memories[-1].hidden)
            longer: dict[tuple[int, int], int] = {}  # prefixes by their parent and last unit
            for index, at in list(place.items()):
                unit = spelled[index][length]
                wanted.append((rows + at, unit, index))
                if length + 1 == len(spelled[index]):
                    del place[index]
                else:
                    place[index] = longer.setdefault((at, unit), len(longer))
            rows += len(latest)
            if rows >= _OUTPUT_BATCH or not place:
                log_probs = self._following(np.concatenate(hidden))
                for row, unit, index in wanted:
                    found[index] += log_probs[row, unit]
                hidden, wanted, rows = [], [], 0
            parents, latest = [at for at, _ in longer], [unit for _, unit in longer]
        raise AssertionError

    def _advance(
        self, units: Sequence[int], parents: Sequence[int], memories: Sequence[_Memory]
    ) -> list[_Memory]:
        """The memory of each layer after one more unit.

        Args:
            units: the last unit of each prefix.
            parents: the index in ``memories`` of each prefix without that unit.
            memories: of each layer, after prefixes that are one unit shorter.
        """
        advanced: list[_Memory] = []
        for layer, memory in zip(self._layers, memories, strict=True):
            x = memory.hidden[parents]
            if advanced:
                x = np.concatenate([advanced[-1].hidden, x], axis=1)
            gates = kernels.affine(x, layer.weights, layer.bias)
            if not advanced:
                gates += self._entries[units]
            cell = memory.cell[parents]
            advanced.append(_Memory(kernels.lstm_step(gates, cell), cell))
        return advanced

    def _following(self, hidden: Floats) -> Floats:
        """Log-probabilities of the next unit, shape (prefixes, units)."""
        log_probs: Floats = kernels.affine(hidden, self._output, self._bias)
        kernels.log_softmax(log_probs)
        return log_probs


def load_scorer(path: str | Path) -> RecurrentScorer:
    """Loads a recurrent language model.

    Raises:
        AsrError: the file is missing, damaged, or no such model.
    """
    return RecurrentScorer(read_recurrent(path))
