"""Speech detection by the entropy of a model's emissions.

Where a CTC model recognises speech, each of its frames is a unit or the blank almost for certain.
Music and knocks leave it undecided, and decoding them all the same would write words where nobody
spoke. Williams and Ellis (1999, "Speech/music discrimination based on posterior probability
features") tell speech from music by the entropy of a model's posteriors. Here the entropy is taken
per emitted unit, so that it is the same for slow and for fast speech, and only near emissions, so
that long pauses don't count.

A network that is far from its training data may also alternate between two units for seconds,
certain of each. Speech contains blanks; a signal without any is no speech either.

Neither words' confidences nor a share of likely units serves as well: both are low for speech that
is hard to recognise as for music. Levels tell less still: noise has those of soft speech, so
:func:`asr.audio.segmentation.is_silent` finds digital silence alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from asr.decoding.hypothesis import Lengths, LogProbs
from asr.tokenizers.tokenizer import BLANK

# Nats, for units as short as characters: of 3,748 utterances of LibriSpeech's dev sets three lay
# above it, of 903 over the telephone, in a room and in noise at 10 dB three, of 622 of Common Voice
# three; of 41 stretches of music none lay below 1.86. Pieces of words have a higher entropy.
MAX_ENTROPY = 1.7

_LEAST_BLANK = 0.02  # the share of frames; of 580 utterances none had less than 0.1
_LONG = 2.0  # seconds of a signal from which on blanks are required
_NEAR = 0.2  # seconds before and behind an emission that count
_LOWEST = -1e3  # floor of log-probabilities
_REJECTED = 0.01  # the share of development speech that may lie above the limit


def emission_entropy(
    log_probs: LogProbs, lengths: Lengths, seconds_per_frame: float
) -> NDArray[np.float64]:
    """Entropy per emitted unit, in nats; infinite without emissions or without blanks.

    Args:
        log_probs: natural logarithms, shape (batch, frames, units), unit 0 the blank.
        lengths: frames of each utterance, shape (batch,).
        seconds_per_frame: how long a frame lasts.

    Returns:
        Shape (batch,). Clear speech has about 1, music 2 to 4, or 3 to 6 if units are pieces of
        words.
    """
    rows = (row[:length] for row, length in zip(log_probs, lengths.tolist(), strict=True))
    return np.array([_entropy(np.asarray(row), seconds_per_frame) for row in rows])


def fit_max_entropy(speech: Sequence[LogProbs], seconds_per_frame: float) -> float:
    """The limit for a model, from its emissions on a set of speech.

    Higher than :data:`MAX_ENTROPY` only for a model that would otherwise reject more than one
    utterance in a hundred.

    Args:
        speech: log-probabilities of each utterance, shape (frames, units).
        seconds_per_frame: how long a frame lasts.
    """
    found = [_entropy(np.asarray(rows), seconds_per_frame) for rows in speech]
    finite = [entropy for entropy in found if math.isfinite(entropy)]
    worst = np.quantile(finite, 1.0 - _REJECTED, method="higher") if finite else 0.0
    return max(MAX_ENTROPY, round(float(worst), 2))


def _entropy(rows: LogProbs, seconds_per_frame: float) -> float:
    """:func:`emission_entropy` of one utterance, from its own frames alone."""
    emitting = rows.argmax(axis=1) != BLANK
    long = len(rows) * seconds_per_frame >= _LONG
    if not emitting.any() or (long and emitting.mean() > 1.0 - _LEAST_BLANK):
        return math.inf
    near = round(_NEAR / seconds_per_frame)
    counted = np.convolve(emitting, np.ones(2 * near + 1))[near : near + len(rows)] > 0.5
    log_probs = rows[counted].astype(np.float64)
    probs = np.exp(log_probs)
    entropy = -(probs * np.maximum(log_probs, _LOWEST)).sum()  # 0 ln 0 is 0
    return float(entropy / (1.0 - probs[:, BLANK]).sum())
