"""Confidences that can be taken at their word: of words given 0.8, four in five are right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_EDGE = 1e-6  # how near to 0 and 1 a confidence may come before its logit is taken
_PRIOR = 0.01  # of a word's weight


@dataclass(frozen=True)
class Calibration:
    """The chance that a word is right, from what its decoder says of it.

    A logistic curve over the logit of the confidence (Platt 1999); as it stands it changes nothing.
    """

    slope: float = 1.0
    offset: float = 0.0

    def __call__(self, confidence: NDArray[np.float64]) -> NDArray[np.float64]:
        if self == UNCALIBRATED:
            return confidence
        return _logistic(self.slope * _logit(confidence) + self.offset)

    @classmethod
    def fit(cls, confidence: ArrayLike, right: Sequence[bool]) -> Calibration:
        """The most likely curve for words of which it is known whether they are right.

        Found by Newton's method; a weak prior for the curve that changes nothing makes it exist for
        any words at all.

        Args:
            confidence: of each word, as the decoder says it, from 0 to 1.
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
    """How far confidence is from accuracy, on average over words, a fraction.

    The expected calibration error (Naeini et al. 2015) over bins of equally many words.
    """
    said = np.asarray(confidence, np.float64)
    if not len(said):
        return 0.0
    order = np.argsort(said, kind="stable")
    apart = np.asarray(right, np.float64)[order] - said[order]
    parts = np.array_split(apart, min(bins, len(said)))
    return float(sum(abs(part.sum()) for part in parts) / len(said))


def _logit(p: NDArray[np.float64]) -> NDArray[np.float64]:
    p = np.clip(p, _EDGE, 1.0 - _EDGE)
    return np.log(p / (1.0 - p))


def _logistic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1.0 / (1.0 + np.exp(-x))
