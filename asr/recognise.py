"""The path of one utterance, from samples to text: features, model, decoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from asr.audio import Samples
from asr.checkpoint import Checkpoint
from asr.config import HeadName
from asr.decode import Decoder, Hypothesis
from asr.features import FRAMES_PER_SECOND, extract

# Inputs are as long as a multiple of this: oneDNN keeps some 4 MB for each length that it has met.
_FRAMES = 128


class Recogniser:
    """A model with its decoder, for signals already in memory.

    What comes out for a signal does not depend on the others in the same call.

    Args:
        checkpoint: the model.
        decoder: what finds words in its log-probabilities.
        device: what the model runs on; by default the CPU.
        head: the one that the decoder reads.

    Raises:
        AsrError: the model has no such head.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        decoder: Decoder,
        device: torch.device | None = None,
        head: HeadName = "main",
    ) -> None:
        self.device = device or torch.device("cpu")
        self.tokenizer = checkpoint.tokenizer_of(head)
        self._model = checkpoint.model.to(self.device)
        self._decoder = decoder
        self._head: HeadName = head

    @property
    def decoder_name(self) -> str:
        return self._decoder.name

    @property
    def writes_words(self) -> bool:
        """False if its hypotheses are phones."""
        return self._decoder.writes_words

    @property
    def seconds_per_frame(self) -> float:
        """How long a frame of log-probabilities lasts."""
        return self._model.frames_per_emission / FRAMES_PER_SECOND

    def recognise(self, signals: Sequence[Samples]) -> list[list[Hypothesis]]:
        """For each signal (16 kHz mono, shape (samples,)) its hypotheses, best first."""
        return self._decoder.decode(*self.log_probs(signals))

    @torch.inference_mode()
    def log_probs(self, signals: Sequence[Samples]) -> tuple[Tensor, Tensor]:
        """What the model says about each signal.

        On the CPU signals are heard one by one: what comes out for one is then the same to the bit
        in any company. Batches of eight would be twice as fast, and differ in the sixth digit.

        Returns:
            Log-probabilities of shape (batch, frames, units), padded, and the frames of each
            signal, shape (batch,).
        """
        bins = self._model.config.mel_bins
        features = [extract(torch.from_numpy(signal), bins) for signal in signals]
        if self.device.type != "cpu":
            return self._hear(features)
        heard = [self._hear([utterance]) for utterance in features]
        rows = [log_probs[0, : int(length)] for log_probs, length in heard]
        return pad_sequence(rows, batch_first=True), torch.cat([length for _, length in heard])

    def _hear(self, features: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        lengths = torch.tensor([len(f) for f in features], device=self.device)
        padded = pad_sequence(list(features), batch_first=True)
        padded = functional.pad(padded, (0, 0, 0, -padded.shape[1] % _FRAMES)).to(self.device)
        emissions = self._model(padded, lengths)
        return emissions.of(self._head), emissions.lengths
