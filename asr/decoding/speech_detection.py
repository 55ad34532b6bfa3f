"""Whether a model hears speech, by how unsure it is of each unit that it emits.

Where a CTC model knows what it hears, its frames say a unit or the blank, each nearly for certain.
Music and knocks leave it undecided, and were it to choose all the same, words would come out where
nobody spoke. Williams and Ellis (1999, "Speech/music discrimination based on posterior probability
features") tell them from speech by the entropy of a model's frames. Here that is taken for each
unit emitted, so that it is the same for slow speech and fast, and only near where units are
emitted, so that long pauses don't count.

A network that is far from what it was trained on may also swing between two units for seconds,
sure of each. Whoever speaks leaves a blank now and then; a signal with none is no speech either.

Neither words' confidences nor a share of likely units serves as well: both are low for speech that
is hard to hear as for music. Levels tell less still; :func:`asr.audio.segmentation.is_silent` knows
silence and steady noise by them.
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
# three; of 41 stretches of music none lay below 1.86. A piece of a word leaves more to doubt.
LIMIT = 1.7

_LEAST_BLANK = 0.02  # of all frames; of 580 utterances none had less than 0.1
_LONG = 2.0  # seconds from which on blanks are missed
_NEAR = 0.2  # seconds before and behind what is emitted
_LOWEST = -1e3  # a logarithm of what is as good as impossible
_MISHEARD = 0.01  # of the speech that a limit is chosen on may lie above it


def doubt(log_probs: LogProbs, lengths: Lengths, seconds_per_frame: float) -> NDArray[np.float64]:
    """Nats of entropy for each unit emitted; infinite where nothing is, or no blank between.

    Args:
        log_probs: natural logarithms, shape (batch, frames, units), unit 0 the blank.
        lengths: frames of each utterance, shape (batch,).
        seconds_per_frame: how long a frame lasts.

    Returns:
        Shape (batch,). Clear speech has about 1, music 2 to 4, or 3 to 6 if units are pieces of
        words.
    """
    rows = (row[:length] for row, length in zip(log_probs, lengths.tolist(), strict=True))
    return np.array([_doubt(np.asarray(row), seconds_per_frame) for row in rows])


def limit(speech: Sequence[LogProbs], seconds_per_frame: float) -> float:
    """How doubtful speech may be for a model that says this of a set of speech.

    Higher than :data:`LIMIT` only for a model that would otherwise lose more than one utterance in
    a hundred.

    Args:
        speech: log-probabilities of each utterance, shape (frames, units).
        seconds_per_frame: how long a frame lasts.
    """
    found = [_doubt(np.asarray(rows), seconds_per_frame) for rows in speech]
    heard = [one for one in found if math.isfinite(one)]
    worst = np.quantile(heard, 1.0 - _MISHEARD, method="higher") if heard else 0.0
    return max(LIMIT, round(float(worst), 2))


def _doubt(rows: LogProbs, seconds_per_frame: float) -> float:
    """:func:`doubt` of one utterance, by its own frames alone."""
    emitting = rows.argmax(axis=1) != BLANK
    long = len(rows) * seconds_per_frame >= _LONG
    if not emitting.any() or (long and emitting.mean() > 1.0 - _LEAST_BLANK):
        return math.inf
    near = round(_NEAR / seconds_per_frame)
    counted = np.convolve(emitting, np.ones(2 * near + 1))[near : near + len(rows)] > 0.5
    log_probs = rows[counted].astype(np.float64)
    probs = np.exp(log_probs)
    entropy = -(probs * np.maximum(log_probs, _LOWEST)).sum()  # what is impossible adds nothing
    return float(entropy / (1.0 - probs[:, BLANK]).sum())
