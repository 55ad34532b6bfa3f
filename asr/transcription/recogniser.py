"""The path of one utterance, from samples to text: engine, decoder, second pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from asr.audio.read import Samples
from asr.config.schema import HeadName
from asr.decoding import Decoder, Hypothesis
from asr.decoding.speech_detection import doubt
from asr.inference.engine import Engine, EngineOutput
from asr.tokenizers.tokenizer import Tokenizer

if TYPE_CHECKING:
    from asr.decoding.second_pass import SecondPass


class Recogniser:
    """A model with its decoder, for signals already in memory.

    On the CPU, what comes out for a signal does not depend on the others in the same call.

    Args:
        engine: runs the model.
        tokenizer: the units of the head that the decoder reads.
        decoder: what finds words in its log-probabilities.
        head: the one that the decoder reads.
        second_pass: what chooses among the readings of the decoder.
        max_doubt: how unsure the main head may be of what it hears
        (:mod:`asr.decoding.speech_detection`), in nats;
            above, nothing was said. None to take all for speech.
    """

    def __init__(
        self,
        engine: Engine,
        tokenizer: Tokenizer,
        decoder: Decoder,
        head: HeadName = "main",
        second_pass: SecondPass | None = None,
        max_doubt: float | None = None,
    ) -> None:
        self.engine = engine
        self.tokenizer = tokenizer
        self.head: HeadName = head
        self._decoder = decoder
        self._second_pass = second_pass
        self._max_doubt = max_doubt

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
        heard = self.engine.emit(signals)
        found = self._decoder.decode(heard.head(self.head), self._spoken(heard))
        if self._second_pass is None:
            return found
        other = heard.head(self._second_pass.head) if self._second_pass.head else None
        return [
            self._second_pass.choose(readings, None if other is None else other[i, :length])
            for i, (readings, length) in enumerate(zip(found, heard.lengths.tolist(), strict=True))
        ]

    def log_probs(
        self, signals: Sequence[Samples]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """What the head that the decoder reads says about each signal.

        Returns:
            Log-probabilities of shape (batch, frames, units), padded, and the frames of each
            signal, shape (batch,).
        """
        heard = self.engine.emit(signals)
        return heard.head(self.head), heard.lengths

    def _spoken(self, heard: EngineOutput) -> NDArray[np.int64]:
        """How many frames of each signal there are to decode: none of what is not speech."""
        if self._max_doubt is None:
            return heard.lengths
        doubts = doubt(heard.log_probs, heard.lengths, self.seconds_per_frame)
        return np.where(doubts > self._max_doubt, 0, heard.lengths)
