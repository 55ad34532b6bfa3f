"""What the model was given of an utterance and what it said, small enough for thousands of them.

A picture is zlib-compressed bytes in base64, which the page unpacks when a row is opened
(``unpack`` in ``page_assets/detail.js``). All numbers are little-endian:

======  ====================  ================================================================
uint32  4                     mel frames, mel bins, frames of posteriors, entries
uint4   mel frames, mel bins  log-mel energies, low frequencies first; first the low half byte
uint16  entries               unit of each entry
uint8   entries               its probability, in 255ths; entries stand frame by frame
uint8   frames                how many entries each frame has
uint8   frames                probability of the blank, in 255ths
======  ====================  ================================================================
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from asr.audio.read import SAMPLE_RATE, Samples, load_audio
from asr.errors import AsrError
from asr.features.log_mel import log_mel
from asr.features.mel import FRAMES_PER_SECOND
from asr.runtime.progress import track
from asr.tokenizers.tokenizer import BLANK
from asr.transcription.recogniser import Recogniser

MEL_RATE = FRAMES_PER_SECOND / 2  # frames a second in a picture

_BINS = 40
_LEVELS = 16
_QUIET, _LOUD = 0.05, 0.998  # of all energies, those below and above look alike
_LEAST = 0.02  # the probability of a unit that is shown
_MOST = 255  # units of one frame
_LONGEST = 60.0  # seconds; a longer strip nobody reads
_BATCH = 8


def draw(recogniser: Recogniser, paths: Sequence[str], budget: int) -> dict[int, str]:
    """Pictures of recordings, as many of the first ones as fit.

    Args:
        recogniser: the model.
        paths: audio files, the most wanted first.
        budget: how many characters all pictures together may have.

    Returns:
        Pictures by index; none of recordings that can't be read or are very long.
    """
    pictures: dict[int, str] = {}
    left = budget
    for index, picture in track(_draw_each(recogniser, paths), "drawing", len(paths)):
        if picture is None:
            continue
        left -= len(picture)
        if left < 0:
            break
        pictures[index] = picture
    return pictures


def _draw_each(recogniser: Recogniser, paths: Sequence[str]) -> Iterator[tuple[int, str | None]]:
    for start in range(0, len(paths), _BATCH):
        signals: dict[int, Samples] = {}
        for index in range(start, min(start + _BATCH, len(paths))):
            try:
                signal = load_audio(paths[index])
            except AsrError:  # it was there when it was transcribed
                signal = np.zeros(0, np.float32)
            if 0 < len(signal) <= _LONGEST * SAMPLE_RATE:
                signals[index] = signal
            else:
                yield index, None
        if signals:
            log_probs, lengths = recogniser.log_probs(list(signals.values()))
            rows = zip(signals.items(), log_probs, lengths.tolist(), strict=True)
            for (index, signal), row, length in rows:
                yield index, encode(signal, row[:length])


def encode(signal: Samples, log_probs: NDArray[np.float32]) -> str:
    """The picture of one utterance.

    Args:
        signal: 16 kHz samples, shape (samples,).
        log_probs: natural logarithms, shape (frames, units), unit 0 the blank.
    """
    mel = _quantised(log_mel(torch.from_numpy(signal)).numpy())
    probabilities = np.exp(log_probs)
    shown = probabilities >= _LEAST
    shown[:, BLANK] = False
    shown &= np.cumsum(shown, axis=1) <= _MOST
    frames, units = np.nonzero(shown)
    header = np.array([*mel.shape, len(probabilities), len(units)], "<u4")
    parts = [
        header,
        _packed(mel),
        units.astype("<u2"),
        _bytes(probabilities[frames, units]),
        shown.sum(axis=1).astype(np.uint8),
        _bytes(probabilities[:, BLANK]),
    ]
    data = zlib.compress(b"".join(part.tobytes() for part in parts), 9)
    return base64.b64encode(data).decode("ascii")


def _quantised(mel: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Levels of half as many frames and bins, shape (frames, bins)."""
    frames, bins = len(mel) // 2 * 2, _BINS * (mel.shape[1] // _BINS)
    if frames == 0:
        mel, frames = np.repeat(mel, 2, axis=0), 2
    small = mel[:frames, :bins].reshape(frames // 2, 2, _BINS, -1).mean(axis=(1, 3))
    quiet, loud = np.quantile(small, [_QUIET, _LOUD])
    above = (small - quiet) / max(1e-3, loud - quiet)
    levels: NDArray[np.uint8] = np.rint(above.clip(0.0, 1.0) * (_LEVELS - 1)).astype(np.uint8)
    return levels


def _packed(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    flat = levels.ravel()
    flat = np.append(flat, np.zeros(len(flat) % 2, np.uint8))
    packed: NDArray[np.uint8] = (flat[::2] | flat[1::2] << 4).astype(np.uint8)
    return packed


def _bytes(probabilities: NDArray[np.float32]) -> NDArray[np.uint8]:
    rounded: NDArray[np.uint8] = np.rint(probabilities.clip(0.0, 1.0) * 255).astype(np.uint8)
    return rounded
