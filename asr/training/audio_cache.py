"""Decoded audio in one memory-mapped file.

Decoding compressed audio anew in every epoch would cost a quarter of a core. Samples are kept as
16-bit integers, 32 kB a second of speech; audio beyond full scale, such as floats of the size of
integers, is scaled down, never clipped.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr.audio.read import Samples
from asr.corpora.manifest import Utterance
from asr.corpora.utterance_audio import load_utterance
from asr.errors import AsrError
from asr.runtime.files import atomic, remove, write_text
from asr.runtime.progress import track

_FULL_SCALE = 32767.0
_VERSION = 2  # of the format; caches of other versions are not read
_NAME = 50  # characters at most; the rest of a file's name tells caches apart


class AudioCache:
    """The decoded audio of some utterances, read by their position."""

    def __init__(self, path: Path, spans: Sequence[tuple[int, int]]) -> None:
        self._path = path
        self._spans = spans
        self._samples: NDArray[np.int16] = np.memmap(path, dtype=np.int16, mode="r")

    def __len__(self) -> int:
        return len(self._spans)

    def __getitem__(self, index: int) -> Samples:
        """Samples of one utterance, shape (samples,), float32 within [-1, 1]."""
        start, stop = self._spans[index]
        return self._samples[start:stop].astype(np.float32) / np.float32(_FULL_SCALE)

    def samples(self, index: int) -> int:
        """The number of samples of an utterance, without reading them."""
        start, stop = self._spans[index]
        return stop - start

    def select(self, indices: Sequence[int]) -> AudioCache:
        """The same cache with only the utterances at ``indices``, in that order."""
        return AudioCache(self._path, [self._spans[index] for index in indices])

    def __reduce__(self) -> tuple[type[AudioCache], tuple[Path, Sequence[tuple[int, int]]]]:
        return AudioCache, (self._path, self._spans)  # a loader process maps the file itself


def open_cache(
    folder: str | Path, name: str, utterances: Sequence[Utterance]
) -> tuple[AudioCache, list[Utterance], list[str]]:
    """Opens the cache of ``utterances``, decoding them if necessary.

    The cache is made anew when an audio file's path, size or time has changed, or when a file that
    could not be read now can.

    Returns:
        The cache, the utterances it holds in its order, and one sentence for each that could
        not be read.

    Raises:
        AsrError: no utterance could be read.
    """
    path = Path(folder) / f"{name[:_NAME]}-{_fingerprint(utterances)}.pcm"
    index_path = path.with_suffix(".json")
    if not (path.exists() and index_path.exists()) or _mended(index_path, utterances):
        _build(path, index_path, utterances)
    index = json.loads(index_path.read_text(encoding="utf-8"))
    held = [(u, span) for u, span in zip(utterances, index["spans"], strict=True) if span]
    if not held:
        raise AsrError(f"none of the {len(utterances)} audio files of {name} could be read")
    cache = AudioCache(path, [(start, stop) for _, (start, stop) in held])
    return cache, [utterance for utterance, _ in held], index["problems"]


def _mended(index_path: Path, utterances: Sequence[Utterance]) -> bool:
    """Whether a file that was left out can be read now, by other rights or another libsndfile."""
    spans = json.loads(index_path.read_text(encoding="utf-8"))["spans"]
    left_out = [u for u, span in zip(utterances, spans, strict=True) if not span]
    return any(not isinstance(samples, AsrError) for samples in _decode_all(left_out))


def _build(path: Path, index_path: Path, utterances: Sequence[Utterance]) -> None:
    remove(index_path)  # A kill between the two files must not leave an index of other samples.
    spans: list[tuple[int, int] | None] = []
    problems: list[str] = []
    end = 0
    with atomic(path) as temporary, open(temporary, "wb") as file:
        decoded = track(_decode_all(utterances), f"decoding {path.stem}", len(utterances))
        for samples in decoded:
            if isinstance(samples, AsrError):
                problems.append(str(samples))
                spans.append(None)
                continue
            scale = _FULL_SCALE / max(1.0, float(np.abs(samples).max()))
            file.write((samples * scale).round().astype(np.int16).tobytes())
            spans.append((end, end + len(samples)))
            end += len(samples)
    write_text(index_path, json.dumps({"spans": spans, "problems": problems}))


def _decode_all(utterances: Iterable[Utterance]) -> Iterator[Samples | AsrError]:
    def decode(utterance: Utterance) -> Samples | AsrError:
        try:
            return load_utterance(utterance)
        except AsrError as error:
            return error

    utterances = list(utterances)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # libsndfile decodes outside of Python's lock
        for start in range(0, len(utterances), 64):  # no more in memory than that
            yield from pool.map(decode, utterances[start : start + 64])


def _fingerprint(utterances: Iterable[Utterance]) -> str:
    digest = hashlib.sha256(f"{_VERSION}\n".encode())
    for utterance in utterances:
        try:
            status = Path(utterance.audio_filepath).stat()
            state = f"{status.st_size} {status.st_mtime_ns}"
        except OSError:
            state = "missing"
        segment = "" if utterance.offset is None else f" {utterance.offset} {utterance.duration}"
        digest.update(f"{utterance.audio_filepath} {state}{segment}\n".encode())
    return digest.hexdigest()[:12]
