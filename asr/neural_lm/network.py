"""An LSTM language model of BPE units, in torch (Mikolov et al. 2010, Sundermeyer et al. 2012).

The model conditions on the whole sentence where a trigram conditions on two words. It is too slow
for the first pass of a search: :mod:`asr.neural_lm.scorer` rescores n-best lists with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from asr.config.schema import RecurrentConfig
from asr.neural_lm.file import BORDER, UNSPELLED, RecurrentFile, read_recurrent
from asr.tokenizers.tokenizer import BpeTokenizer, UnrepresentableText

State = tuple[Tensor, Tensor]  # of the LSTM

_SCORED = 1 << 14  # units in a batch


class RecurrentModel(nn.Module):
    """P(sentence) as the product of P(unit | all units before), the sentence's end included.

    Input and output embeddings are tied (Press and Wolf 2017).
    """

    def __init__(self, config: RecurrentConfig, tokenizer: BpeTokenizer) -> None:
        super().__init__()
        self.config = config
        self.tokenizer = tokenizer
        self.embedding = nn.Embedding(len(tokenizer), config.hidden)
        nn.init.normal_(self.embedding.weight, std=config.hidden**-0.5)
        self.dropout = nn.Dropout(config.dropout)
        between = config.dropout if config.layers > 1 else 0.0
        self.lstm = nn.LSTM(
            config.hidden, config.hidden, config.layers, batch_first=True, dropout=between
        )
        self.bias = nn.Parameter(torch.zeros(len(tokenizer)))

    def forward(self, units: Tensor) -> Tensor:
        """Logits of each next unit.

        Args:
            units: shape (batch, units), each sentence after a border.

        Returns:
            Shape (batch, units, number of units).
        """
        return self.continue_from(units, None)[0]

    def continue_from(self, units: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Logits of the units that follow ``state``, and the new state; None for a new sentence."""
        outputs, state = self.lstm(self.dropout(self.embedding(units)), state)
        scores = functional.linear(self.dropout(outputs), self.embedding.weight, self.bias)
        return scores, state

    @torch.inference_mode()
    def log_probs(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """The natural logarithms of P(text) for texts in normal form."""
        found = np.full(len(texts), UNSPELLED)
        spelled: dict[int, Tensor] = {}
        for index, text in enumerate(texts):
            try:
                spelled[index] = torch.tensor([BORDER, *self.tokenizer.encode(text), BORDER])
            except UnrepresentableText:
                continue
        order = sorted(spelled, key=lambda index: len(spelled[index]))
        while order:
            count = max(1, _SCORED // len(spelled[order[-1]]))
            some, order = order[-count:], order[:-count]
            padded = pad_sequence([spelled[i] for i in some], batch_first=True, padding_value=-1)
            units = padded.to(self.bias.device)
            found[some] = 0.0
            state = None
            for start in range(0, units.shape[1] - 1, _SCORED):  # once, if it is not very long
                part = units[:, start : start + _SCORED + 1]
                scores, state = self.continue_from(part[:, :-1].clamp(min=BORDER), state)
                found[some] -= sentence_losses(scores, part[:, 1:]).double().cpu().numpy()
        return found

    def save(self, path: str | Path) -> None:
        """Writes the file that :func:`load_recurrent` reads.

        Raises:
            AsrError: it can't be written.
        """
        weights = {name: tensor.float().cpu().numpy() for name, tensor in self.state_dict().items()}
        RecurrentFile(self.config, self.tokenizer, weights).write(path)


def sentence_losses(scores: Tensor, following: Tensor) -> Tensor:
    """The negative natural logarithm of P(sentence), shape (batch,).

    Args:
        scores: logits from :meth:`RecurrentModel.forward`, shape (batch, units, number of units).
        following: the units that follow, shape (batch, units), negative after a sentence's end.
    """
    losses = functional.cross_entropy(
        scores.float().flatten(0, 1), following.flatten(), ignore_index=-1, reduction="none"
    )
    return losses.view(following.shape).sum(1)


def load_recurrent(path: str | Path) -> RecurrentModel:
    """Loads a model in float32, in evaluation mode, on the CPU.

    Raises:
        AsrError: the file is missing, damaged, or no such model.
    """
    stored = read_recurrent(path)
    model = RecurrentModel(stored.config, stored.tokenizer)
    model.load_state_dict({name: torch.from_numpy(array) for name, array in stored.weights.items()})
    return model.eval()
