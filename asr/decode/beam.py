"""CTC prefix beam search (Hannun et al. 2014, arXiv 1408.2873, algorithm 1).

A prefix's probability is the sum over all alignments that collapse to it, kept in two parts: those
that end in a blank and those that end in the prefix's last unit. The parts are needed because
a repeated unit makes a new token only after a blank.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torchaudio.functional import forced_align

from asr.decode.hypothesis import Hypothesis
from asr.tokenizer import BLANK, Tokenizer

_NEVER = -math.inf


@dataclass(slots=True)
class _Prefix:
    """Log-probability of the alignments that have led to a prefix."""

    blank: float = _NEVER  # of those that end in a blank
    unit: float = _NEVER  # of those that end in the prefix's last unit

    @property
    def total(self) -> float:
        return _add(self.blank, self.unit)


_Beam = dict[tuple[int, ...], _Prefix]


class BeamDecoder:
    """Sums over alignments, keeps the ``beam_size`` best prefixes of each frame.

    With a beam as wide as there are prefixes, and no unit pruned, the scores are exact. The score
    of a hypothesis is the log-probability of its tokens, over all alignments in the beam.

    Args:
        tokenizer: the units.
        beam_size: how many prefixes live on after a frame, and how many hypotheses come out.
        token_threshold: units less likely in a frame than this (natural logarithm) are not tried
            there; the best unit and the blank always are.
    """

    def __init__(
        self, tokenizer: Tokenizer, beam_size: int = 16, token_threshold: float = -7.0
    ) -> None:
        self._tokenizer = tokenizer
        self._beam_size = beam_size
        self._token_threshold = token_threshold

    def decode(self, log_probs: Tensor, lengths: Tensor) -> list[list[Hypothesis]]:
        log_probs = log_probs.cpu()
        return [self._search(log_probs[i, :length]) for i, length in enumerate(lengths.tolist())]

    def _search(self, log_probs: Tensor) -> list[Hypothesis]:
        beam: _Beam = {(): _Prefix(blank=0.0)}
        for row in log_probs.double().numpy():
            ranked = sorted(self._step(beam, row).items(), key=lambda item: -item[1].total)
            beam = dict(ranked[: self._beam_size])
        return [
            Hypothesis(
                self._tokenizer.decode(tokens), prefix.total, tokens, _frames(log_probs, tokens)
            )
            for tokens, prefix in beam.items()
        ]

    def _step(self, beam: _Beam, row: NDArray[np.float64]) -> _Beam:
        """All prefixes that one frame leads to from those of the beam."""
        tried = np.flatnonzero(row >= min(self._token_threshold, row.max()))
        units = [(int(unit), float(row[unit])) for unit in tried if unit != BLANK]
        following: defaultdict[tuple[int, ...], _Prefix] = defaultdict(_Prefix)
        for tokens, prefix in beam.items():
            total = prefix.total
            same = following[tokens]
            same.blank = _add(same.blank, total + float(row[BLANK]))
            last = tokens[-1] if tokens else BLANK
            for unit, log_prob in units:
                longer = following[(*tokens, unit)]
                if unit == last:
                    same.unit = _add(same.unit, prefix.unit + log_prob)
                    longer.unit = _add(longer.unit, prefix.blank + log_prob)
                else:
                    longer.unit = _add(longer.unit, total + log_prob)
        return following


def _frames(log_probs: Tensor, tokens: tuple[int, ...]) -> tuple[int, ...]:
    """Where the best alignment of ``tokens`` emits each of them."""
    if not tokens:
        return ()
    path, _ = forced_align(log_probs[None].float(), torch.tensor([tokens]), blank=BLANK)
    before = functional.pad(path[0, :-1], (1, 0), value=BLANK)
    return tuple(torch.nonzero((path[0] != before) & (path[0] != BLANK))[:, 0].tolist())


def _add(a: float, b: float) -> float:
    """log(exp(a) + exp(b))."""
    if a < b:
        a, b = b, a
    return a if b == _NEVER else a + math.log1p(math.exp(b - a))
