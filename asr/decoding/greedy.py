"""Best-path decoding: the best unit of every frame (Graves et al. 2006, section 3.2)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from asr.decoding.hypothesis import DecodedWord, Hypothesis, Lengths, LogProbs
from asr.decoding.word_boundaries import Boundaries
from asr.tokenizers.tokenizer import BLANK, PhoneTokenizer, Tokenizer


class GreedyDecoder:
    """Best-path decoder: the best unit of each frame, without repetitions and blanks.

    The score is the log-probability of that one path. The confidence of a word is the geometric
    mean of its units' probabilities, each the highest of the frames that it fills. Phones make no
    words.
    """

    name = "greedy"

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._boundaries = Boundaries.of(tokenizer)
        self.writes_words = not isinstance(tokenizer, PhoneTokenizer)

    def decode(self, log_probs: LogProbs, lengths: Lengths) -> list[list[Hypothesis]]:
        rows = (row[:length] for row, length in zip(log_probs, lengths.tolist(), strict=True))
        return [[self._decode_one(np.asarray(row))] for row in rows]

    def _decode_one(self, rows: LogProbs) -> Hypothesis:
        path = rows.argmax(axis=1)
        best = np.take_along_axis(rows, path[:, None], axis=1)[:, 0].astype(np.float64)
        runs = np.flatnonzero(np.append(True, path[1:] != path[:-1])[: len(path)])
        emitted = path[runs] != BLANK
        starts, ends = runs[emitted], np.append(runs[1:], len(path))[: len(runs)][emitted]
        log_probs = np.maximum.reduceat(best, runs)[emitted] if len(runs) else best
        tokens = path[starts]
        words = self._words(tokens, starts, ends, log_probs) if self.writes_words else ()
        return Hypothesis(
            self._tokenizer.decode(tokens.tolist()),
            float(best.sum()),
            tuple(tokens.tolist()),
            tuple(starts.tolist()),
            words,
        )

    def _words(
        self,
        tokens: NDArray[np.int64],
        starts: NDArray[np.int64],
        ends: NDArray[np.int64],
        log_probs: NDArray[np.float64],
    ) -> tuple[DecodedWord, ...]:
        apart = self._boundaries
        begins = [0]
        begins += [
            i for i, t in enumerate(tokens.tolist()) if t in apart.starts or t == apart.separator
        ]
        words = []
        for first, last in pairwise([*begins, len(tokens)]):
            if first < last and tokens[first] == apart.separator:
                first += 1
            text = self._tokenizer.decode(tokens[first:last].tolist())
            if text:
                confidence = float(np.exp(log_probs[first:last].mean()))
                words.append(DecodedWord(text, int(starts[first]), int(ends[last - 1]), confidence))
        return tuple(words)
