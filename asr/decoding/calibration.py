"""Calibration of confidences: of words with confidence 0.8, four in five are right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_EDGE = 1e-6  # how near to 0 and 1 a confidence may come before its logit is taken
_PRIOR = 0.01  # of a word's weight


@dataclass(frozen=True)
class Calibration:
    """The probability that a word is right, from its decoder's confidence.

    A logistic curve over the logit of the confidence (Platt 1999); the default is the identity.
    """

    slope: float = 1.0
    offset: float = 0.0

    def __call__(self, confidence: NDArray[np.float64]) -> NDArray[np.float64]:
        if self == UNCALIBRATED:
            return confidence
        return _logistic(self.slope * _logit(confidence) + self.offset)

    @classmethod
    def fit(cls, confidence: ArrayLike, right: Sequence[bool]) -> Calibration:
        """The most likely curve for words that were compared with a reference.

        Found by Newton's method; a weak prior for the identity makes it exist for any words.

        Args:
            confidence: of each word, from the decoder, from 0 to 1.
            right: whether the reference has the word.
        """
        x = _logit(np.asarray(confidence, np.float64))
        inputs = np.stack([x, np.ones_like(x)])
        prior = np.array([1.0, 0.0])
        weights = prior.copy()
        for _ in range(50):
            p = _logistic(weights @ inputs)
            gradient = inputs @ (p - np.asarray(right, np.float64)) + _PRIOR * (weights - prior)
            hessian = (inputs * p * (1 - p)) @ inputs.T + _PRIOR * np.eye(2)
            step = np.linalg.solve(hessian, gradient)
            weights -= step * min(1.0, 2.0 / max(1e-12, float(np.abs(step).max())))
            if np.abs(step).max() < 1e-9:
                break
        slope, offset = (round(float(w), 4) for w in weights)
        return cls(slope, offset)


UNCALIBRATED = Calibration()


def calibration_error(confidence: ArrayLike, right: Sequence[bool], bins: int = 15) -> float:
    """The mean distance of confidence from accuracy over words, a fraction.

    The expected calibration error (Naeini et al. 2015) over bins of equally many words.
    """
    given = np.asarray(confidence, np.float64)
    if not len(given):
        return 0.0
    order = np.argsort(given, kind="stable")
    apart = np.asarray(right, np.float64)[order] - given[order]
    parts = np.array_split(apart, min(bins, len(given)))
    return float(sum(abs(part.sum()) for part in parts) / len(given))


def _logit(p: NDArray[np.float64]) -> NDArray[np.float64]:
    p = np.clip(p, _EDGE, 1.0 - _EDGE)
    return np.log(p / (1.0 - p))


def _logistic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1.0 / (1.0 + np.exp(-x))
