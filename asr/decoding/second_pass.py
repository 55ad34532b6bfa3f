"""Second pass: rescores the search's n-best list with models too slow for the first pass.

Two models: the head that the search did not decode, whose units fail elsewhere and which tells
homophones apart by their spelling, and an LSTM language model. The score of a hypothesis becomes

    score of the search + head_weight * ln P_head(text | audio) + recurrent_weight * ln P(text)
        + lm_weight * ln P(words) + word_bonus * words

whose last two terms correct the weights of the search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, replace

import numpy as np
from numpy.typing import NDArray

from asr.config.schema import HeadName
from asr.decoding.hypothesis import Hypothesis
from asr.decoding.options import SecondPassWeights
from asr.neural_lm.scorer import RecurrentScorer
from asr.tokenizers.tokenizer import BLANK, Tokenizer, UnrepresentableText

_IMPOSSIBLE = -1e4  # natural logarithm of P(text | audio) where the frames are too few for the text
_DIGITS = 4  # of logarithms: the last bits depend on the number of threads that sum


class SecondPass:
    """Rescores n-best lists.

    Args:
        weights: of the terms above.
        head: the head that the search did not decode; None leaves its term out.
        tokenizer: the units of that head.
        lm: the LSTM language model; None leaves its term out.
        nbest: the number of hypotheses that are kept.
    """

    def __init__(
        self,
        weights: SecondPassWeights,
        head: HeadName | None,
        tokenizer: Tokenizer | None = None,
        lm: RecurrentScorer | None = None,
        nbest: int = 1,
    ) -> None:
        self.weights = weights
        self.head = head
        self._tokenizer = tokenizer
        self._lm = lm
        self._nbest = nbest

    def rescore(
        self, nbest: Sequence[Hypothesis], log_probs: NDArray[np.float32] | None
    ) -> list[Hypothesis]:
        """The hypotheses of one utterance with their new scores, best first.

        Args:
            nbest: the search's n-best list.
            log_probs: of the other head, shape (frames, units); None if it has no term.
        """
        return reorder(nbest, self.terms(nbest, log_probs), self.weights)[: self._nbest]

    def terms(
        self, nbest: Sequence[Hypothesis], log_probs: NDArray[np.float32] | None
    ) -> NDArray[np.float64]:
        """The terms of the formula without their weights, shape (hypotheses, 4)."""
        texts = [hypothesis.text for hypothesis in nbest]
        head = lm = np.zeros(len(texts))
        if self._tokenizer and log_probs is not None:
            head = likelihoods(texts, log_probs, self._tokenizer)
        if self._lm:
            lm = self._lm.log_probs(texts)
        known = [(h.lm_score, len(h.text.split())) for h in nbest]
        return np.column_stack([head.round(_DIGITS), lm.round(_DIGITS), np.array(known)])


def reorder(
    nbest: Sequence[Hypothesis], terms: NDArray[np.float64], weights: SecondPassWeights
) -> list[Hypothesis]:
    """The hypotheses of one utterance with the weighted terms in their scores, best first."""
    added = (terms @ np.array(astuple(weights))).tolist()
    scored = [replace(h, score=h.score + more) for h, more in zip(nbest, added, strict=True)]
    return sorted(scored, key=lambda hypothesis: -hypothesis.score)


def likelihoods(
    texts: Sequence[str], log_probs: NDArray[np.float32], tokenizer: Tokenizer
) -> NDArray[np.float64]:
    """The natural logarithms of P(text | audio), summed over all alignments.

    Args:
        texts: hypotheses of one utterance.
        log_probs: of the units of ``tokenizer``, shape (frames, units).
        tokenizer: spells the texts.
    """
    import torch  # here: it takes seconds, and not every second pass has a head
    from torch.nn import functional

    targets = [_encode(text, tokenizer) for text in texts]
    spelled = [index for index, target in enumerate(targets) if target is not None]
    found = np.full(len(texts), _IMPOSSIBLE)
    if not spelled or not len(log_probs):
        return found
    units = [unit for index in spelled for unit in targets[index] or ()]
    losses = functional.ctc_loss(
        torch.from_numpy(log_probs)[:, None].expand(-1, len(spelled), -1),
        torch.tensor(units, dtype=torch.long),
        torch.full((len(spelled),), len(log_probs)),
        torch.tensor([len(targets[index] or ()) for index in spelled]),
        blank=BLANK,
        reduction="none",
    )
    found[spelled] = np.maximum(-losses.double().numpy(), _IMPOSSIBLE)
    return found


def _encode(text: str, tokenizer: Tokenizer) -> list[int] | None:
    try:
        return tokenizer.encode(text)
    except UnrepresentableText:
        return None
