"""The path of one utterance, from samples to text: features, model, decoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from asr.audio import Samples
from asr.checkpoint import Checkpoint
from asr.config import HeadName
from asr.decode import Decoder, Hypothesis
from asr.doubt import doubt
from asr.features import FRAMES_PER_SECOND, extract_together
from asr.model import Emissions

if TYPE_CHECKING:
    from asr.decode.second_pass import SecondPass

# Inputs are as long as a multiple of this: oneDNN keeps some 4 MB for each length that it has met.
_FRAMES = 128


class Recogniser:
    """A model with its decoder, for signals already in memory.

    On the CPU, what comes out for a signal does not depend on the others in the same call.

    Args:
        checkpoint: the model.
        decoder: what finds words in its log-probabilities.
        device: what the model runs on; by default the CPU.
        head: the one that the decoder reads.
        second_pass: what chooses among the readings of the decoder.
        max_doubt: how unsure the main head may be of what it hears (:mod:`asr.doubt`), in nats;
            above, nothing was said. None to take all for speech.

    Raises:
        AsrError: the model has no such head.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        decoder: Decoder,
        device: torch.device | None = None,
        head: HeadName = "main",
        second_pass: SecondPass | None = None,
        max_doubt: float | None = None,
    ) -> None:
        self.device = device or torch.device("cpu")
        self.tokenizer = checkpoint.tokenizer_of(head)
        self._model = checkpoint.model.to(self.device)
        self._decoder = decoder
        self.head: HeadName = head
        self._second_pass = second_pass
        self._max_doubt = max_doubt

    @property
    def decoder_name(self) -> str:
        return self._decoder.name + (", rescored" if self._second_pass else "")

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
        heard = self.hear(signals)
        found = self._decoder.decode(heard.of(self.head), self._spoken(heard))
        if self._second_pass is None:
            return found
        other = heard.of(self._second_pass.head).cpu() if self._second_pass.head else None
        return [
            self._second_pass.choose(readings, None if other is None else other[i, :length])
            for i, (readings, length) in enumerate(zip(found, heard.lengths.tolist(), strict=True))
        ]

    def log_probs(self, signals: Sequence[Samples]) -> tuple[Tensor, Tensor]:
        """What the head that the decoder reads says about each signal.

        Returns:
            Log-probabilities of shape (batch, frames, units), padded, and the frames of each
            signal, shape (batch,).
        """
        heard = self.hear(signals)
        return heard.of(self.head), heard.lengths

    @torch.inference_mode()
    def hear(self, signals: Sequence[Samples]) -> Emissions:
        """What the model says about each signal.

        On the CPU signals are heard one by one: what comes out for one is then the same to the bit
        in any company. Batches of eight would be twice as fast, and differ in the sixth digit.
        """
        if self.device.type != "cpu":
            return self._hear(signals)
        heard = [self._hear([signal]) for signal in signals]

        def together(head: HeadName) -> Tensor:
            rows = [emissions.of(head)[0, : int(emissions.lengths)] for emissions in heard]
            return pad_sequence(rows, batch_first=True)

        lengths = torch.cat([emissions.lengths for emissions in heard])
        intermediate = None if heard[0].intermediate is None else together("intermediate")
        return Emissions(together("main"), lengths, intermediate)

    def _spoken(self, heard: Emissions) -> Tensor:
        """How many frames of each signal there are to decode: none of what is not speech."""
        if self._max_doubt is None:
            return heard.lengths
        doubts = doubt(heard.log_probs, heard.lengths, self.seconds_per_frame)
        return heard.lengths.masked_fill(doubts > self._max_doubt, 0)

    def _hear(self, signals: Sequence[Samples]) -> Emissions:
        samples = [len(signal) for signal in signals]
        padded = pad_sequence([torch.from_numpy(signal) for signal in signals], batch_first=True)
        bins = self._model.config.mel_bins
        features, lengths = extract_together(padded.to(self.device), samples, bins)
        features = functional.pad(features, (0, 0, 0, -features.shape[1] % _FRAMES))
        emissions: Emissions = self._model(features, lengths)
        return emissions
