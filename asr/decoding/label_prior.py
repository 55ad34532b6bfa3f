"""Label priors: the units' shares of a model's emissions, by which posteriors are divided.

An uncertain network emits common units, and the language model favours them again: their prior
counts twice. Divided by the units' shares of all emissions, posteriors become scaled likelihoods,

    p(x | u) ~ p(u | x) / p(u)

as in hybrid recognisers (Bourlard and Morgan 1994), for CTC in Sak et al. 2015 and in Miao et al.
2015 (EESEN, arXiv 1507.08240), here with an exponent on p(u) and scaled to sum to one in each frame
again. The blank is a unit like all others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from asr.decoding.hypothesis import LogProbs
from asr.errors import AsrError
from asr.tokenizers.tokenizer import Tokenizer

Prior = dict[str, float]
"""The share of each unit in a model's emissions; they sum to one."""

_LEAST = 1e-6  # of a share, which must have a logarithm
_DIGITS = 6


def measure(log_probs: Sequence[LogProbs], tokenizer: Tokenizer) -> Prior:
    """The mean of a model's posteriors over all frames of some utterances.

    Args:
        log_probs: of each utterance, shape (frames, units).
        tokenizer: the units.
    """
    total = np.zeros(len(tokenizer))
    for rows in log_probs:
        total += np.exp(rows, dtype=np.float64).sum(axis=0)
    share = np.maximum(total / total.sum(), _LEAST)
    return dict(zip(tokenizer.units, share.round(_DIGITS).tolist(), strict=True))


def logarithms(prior: Mapping[str, float], tokenizer: Tokenizer) -> NDArray[np.float32]:
    """The natural logarithm of each unit's share, shape (units,).

    Raises:
        AsrError: the prior is of other units.
    """
    if prior.keys() != set(tokenizer.units):
        odd = min(prior.keys() ^ set(tokenizer.units))
        raise AsrError(
            f"the decoder config's prior and the model's units don't agree about {odd!r}; "
            "make the config anew with asr tune"
        )
    shares = np.array([prior[unit] for unit in tokenizer.units])
    found: NDArray[np.float32] = np.log(np.maximum(shares, _LEAST)).astype(np.float32)
    return found


def divide(log_probs: LogProbs, log_prior: NDArray[np.float32]) -> LogProbs:
    """Log-probabilities, shape (frames, units), by a weighted prior, to sum to one again."""
    scaled = log_probs - log_prior
    scaled -= scaled.max(axis=1, keepdims=True)
    scaled -= np.log(np.exp(scaled).sum(axis=1, keepdims=True))
    return scaled
