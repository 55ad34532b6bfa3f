"""Best-path decoding: the best unit of every frame (Graves et al. 2006, section 3.2)."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from asr.decode.hypothesis import Hypothesis
from asr.tokenizer import BLANK, PhoneTokenizer, Tokenizer


class GreedyDecoder:
    """Takes the best unit of each frame, joins repetitions, drops blanks.

    The score is the log-probability of that one path.
    """

    name = "greedy"

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.writes_words = not isinstance(tokenizer, PhoneTokenizer)

    def decode(self, log_probs: Tensor, lengths: Tensor) -> list[list[Hypothesis]]:
        best, path = (x.cpu().numpy() for x in log_probs.max(dim=-1))
        return [
            [self._read(path[i, :length], float(best[i, :length].sum(dtype=np.float64)))]
            for i, length in enumerate(lengths.tolist())
        ]

    def _read(self, path: np.ndarray, score: float) -> Hypothesis:
        starts = np.append(True, path[1:] != path[:-1])[: len(path)] & (path != BLANK)
        frames = np.flatnonzero(starts)
        tokens = tuple(path[frames].tolist())
        return Hypothesis(self._tokenizer.decode(tokens), score, tokens, tuple(frames.tolist()))
