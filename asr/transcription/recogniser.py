"""The path of one utterance, from samples to text: engine, decoder, second pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from asr.audio.conditioning import condition
from asr.audio.read import Samples
from asr.config.schema import HeadName
from asr.decoding import Decoder, Hypothesis
from asr.decoding.speech_detection import emission_entropy
from asr.inference.engine import Engine, EngineOutput
from asr.tokenizers.tokenizer import Tokenizer

if TYPE_CHECKING:
    from asr.decoding.second_pass import SecondPass


class Recogniser:
    """A model with its decoder, for signals already in memory.

    On the CPU, a signal's hypotheses do not depend on the other signals of the same call.

    Args:
        engine: runs the model.
        tokenizer: the units of the head that is decoded.
        decoder: finds words in the head's log-probabilities.
        head: the head that is decoded.
        second_pass: rescores the decoder's n-best lists.
        max_entropy: of each emission of the main head, in nats
            (:mod:`asr.decoding.speech_detection`); above it a signal is no speech and has no text.
            None to take everything for speech.
    """

    def __init__(
        self,
        engine: Engine,
        tokenizer: Tokenizer,
        decoder: Decoder,
        head: HeadName = "main",
        second_pass: SecondPass | None = None,
        max_entropy: float | None = None,
    ) -> None:
        self.engine = engine
        self.tokenizer = tokenizer
        self.head: HeadName = head
        self._decoder = decoder
        self._second_pass = second_pass
        self._max_entropy = max_entropy

    @property
    def decoder_name(self) -> str:
        return "two passes" if self._second_pass else self._decoder.name

    @property
    def writes_words(self) -> bool:
        """False if its hypotheses are phones."""
        return self._decoder.writes_words

    @property
    def seconds_per_frame(self) -> float:
        """How long a frame of log-probabilities lasts."""
        return self.engine.seconds_per_frame

    def recognise(self, signals: Sequence[Samples]) -> list[list[Hypothesis]]:
        """For each signal (16 kHz mono, shape (samples,)) its hypotheses, best first."""
        output = self.engine.emit([condition(signal) for signal in signals])
        nbest_lists = self._decoder.decode(output.head(self.head), self._speech_lengths(output))
        if self._second_pass is None:
            return nbest_lists
        other = output.head(self._second_pass.head) if self._second_pass.head else None
        lengths = output.lengths.tolist()
        return [
            self._second_pass.rescore(nbest, None if other is None else other[i, :length])
            for i, (nbest, length) in enumerate(zip(nbest_lists, lengths, strict=True))
        ]

    def log_probs(
        self, signals: Sequence[Samples]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The log-probabilities of the head that is decoded.

        Args:
            signals: 16 kHz mono, each of shape (samples,).

        Returns:
            Log-probabilities of shape (batch, frames, units), padded, and the frames of each
            signal, shape (batch,).
        """
        output = self.engine.emit([condition(signal) for signal in signals])
        return output.head(self.head), output.lengths

    def _speech_lengths(self, output: EngineOutput) -> NDArray[np.int64]:
        """The frames of each signal to decode: none of a signal that is no speech."""
        if self._max_entropy is None:
            return output.lengths
        entropy = emission_entropy(output.log_probs, output.lengths, self.seconds_per_frame)
        return np.where(entropy > self._max_entropy, 0, output.lengths)
