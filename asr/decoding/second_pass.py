"""The second pass: what the search found, weighed again by what is too dear to ask at every frame.

Two witnesses: the head that the search did not read, whose units fail elsewhere and which spells
what sounds alike, and a recurrent language model. The score of a reading becomes

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

_IMPOSSIBLE = -1e4  # natural logarithm, of a text that the frames are too few for
_DIGITS = 4  # of logarithms: the last bits depend on how many threads add them up


class SecondPass:
    """Chooses among readings.

    Args:
        weights: of the terms above.
        head: the other one; none where it is not asked.
        tokenizer: its units.
        lm: the recurrent language model; none where none is asked.
        nbest: how many readings it keeps.
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

    def choose(
        self, found: Sequence[Hypothesis], log_probs: NDArray[np.float32] | None
    ) -> list[Hypothesis]:
        """The hypotheses of one utterance with their new scores, best first.

        Args:
            found: what the search found.
            log_probs: what the other head says, shape (frames, units); none where there is none.
        """
        return weigh(found, self.evidence(found, log_probs), self.weights)[: self._nbest]

    def evidence(
        self, found: Sequence[Hypothesis], log_probs: NDArray[np.float32] | None
    ) -> NDArray[np.float64]:
        """The terms of the formula without their weights, shape (hypotheses, 4)."""
        texts = [hypothesis.text for hypothesis in found]
        head = lm = np.zeros(len(texts))
        if self._tokenizer and log_probs is not None:
            head = likelihoods(texts, log_probs, self._tokenizer)
        if self._lm:
            lm = self._lm.log_probs(texts)
        known = [(h.lm_score, len(h.text.split())) for h in found]
        return np.column_stack([head.round(_DIGITS), lm.round(_DIGITS), np.array(known)])


def weigh(
    found: Sequence[Hypothesis], evidence: NDArray[np.float64], weights: SecondPassWeights
) -> list[Hypothesis]:
    """The hypotheses of one utterance with their new scores, best first."""
    added = (evidence @ np.array(astuple(weights))).tolist()
    scored = [replace(h, score=h.score + more) for h, more in zip(found, added, strict=True)]
    return sorted(scored, key=lambda hypothesis: -hypothesis.score)


def likelihoods(
    texts: Sequence[str], log_probs: NDArray[np.float32], tokenizer: Tokenizer
) -> NDArray[np.float64]:
    """The natural logarithms of P(text | audio), summed over all alignments.

    Args:
        texts: readings of one utterance.
        log_probs: of the units of ``tokenizer``, shape (frames, units).
        tokenizer: spells the texts.
    """
    import torch  # here: it takes seconds, and not every second pass asks a head
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
