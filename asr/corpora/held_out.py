"""Which text shares word sequences with transcripts that are held out for scoring.

Of these only hashes are needed: BLAKE2b (RFC 7693) of 8 bytes of every 8-word sequence, and of
whole sentences that are shorter. Text that a model is to be trained on may share none.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr.runtime.jit import compiled, uncounted

SHORTEST = 4  # words of a held-out sentence shorter than that
SPAN = 8  # words of a held-out sequence
_FILTER_BITS = 24
_IV = np.array(
    [
        0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
        0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179,
    ],
    np.uint64,
)  # fmt: skip
_SIGMA = np.array(
    [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
        [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
        [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
        [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
        [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
        [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
        [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
        [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
        [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
    ],
    np.uint8,
)
_BLAKE_BLOCK = 128  # bytes
_1, _16, _24, _32 = np.uint64(1), np.uint64(16), np.uint64(24), np.uint64(32)
_40, _48, _63 = np.uint64(40), np.uint64(48), np.uint64(63)


class HeldOut:
    """The 8-word sequences of held-out transcripts, and their shorter sentences, as hashes."""

    def __init__(self, path: Path) -> None:
        self._known = np.sort(np.load(path).astype(np.uint64))
        self._filter = np.zeros(1 << _FILTER_BITS, np.bool_)
        self._filter[self._known & np.uint64(len(self._filter) - 1)] = True

    def shared(self, lines: Sequence[str]) -> tuple[int, set[int]]:
        """How many sequences a book shares, and which of its lines share one, whole or in part."""
        text = np.frombuffer(f"{' '.join(lines)} ".encode(), np.uint8)
        starts = np.concatenate([[0], np.flatnonzero(text == ord(" ")) + 1])  # of words
        found = self._find(text, starts[:-SPAN], starts[SPAN:] - 1)
        ends = np.cumsum([line.count(" ") + 1 for line in lines])
        first, last = np.searchsorted(ends, [found, found + SPAN - 1], side="right")
        touched = {line for both in zip(first, last, strict=True) for line in both}
        size = np.diff(ends, prepend=0)
        short = np.flatnonzero((size >= SHORTEST) & (size < SPAN))
        place = self._find(text, starts[ends[short] - size[short]], starts[ends[short]] - 1)
        return len(found), touched.union(short[place])

    def _find(
        self, text: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Which of some stretches of a text are held out."""
        hashes = np.empty(len(starts), np.uint64)
        hash_stretches(text, starts, ends, _IV, _SIGMA, hashes)
        for long in np.flatnonzero(ends - starts > _BLAKE_BLOCK):
            stretch = text[starts[long] : ends[long]].tobytes()
            hashes[long] = int.from_bytes(blake2b(stretch, digest_size=8).digest(), "little")
        likely = np.flatnonzero(self._filter[hashes & np.uint64(len(self._filter) - 1)])
        return likely[np.isin(hashes[likely], self._known)]


@uncounted
def _mix(a: Any, b: Any, c: Any, d: Any, x: Any, y: Any) -> Any:
    a = a + b + x
    d ^= a
    d = (d >> _32) | (d << _32)
    c = c + d
    b ^= c
    b = (b >> _24) | (b << _40)
    a = a + b + y
    d ^= a
    d = (d >> _16) | (d << _48)
    c = c + d
    b ^= c
    return a, (b >> _63) | (b << _1), c, d


@compiled
def hash_stretches(text: Any, starts: Any, ends: Any, iv: Any, sigma: Any, out: Any) -> None:
    """BLAKE2b of 8 bytes (RFC 7693) of each stretch of a block at most, many times hashlib's pace.

    One call of hashlib for each of 250 million would take longer than all the rest.
    """
    m = np.empty(16, np.uint64)
    parameters = iv[0] ^ np.uint64(0x01010008)
    for index in range(len(starts)):
        m[:] = 0
        start, size = starts[index], ends[index] - starts[index]
        for byte in range(min(size, _BLAKE_BLOCK)):
            m[byte >> 3] |= np.uint64(text[start + byte]) << np.uint64(8 * (byte & 7))
        a0, a1, a2, a3 = parameters, iv[1], iv[2], iv[3]
        b0, b1, b2, b3 = iv[4], iv[5], iv[6], iv[7]
        c0, c1, c2, c3 = iv[0], iv[1], iv[2], iv[3]
        d0, d1, d2, d3 = iv[4] ^ np.uint64(size), iv[5], ~iv[6], iv[7]
        for turn in range(12):
            s = sigma[turn % 10]
            a0, b0, c0, d0 = _mix(a0, b0, c0, d0, m[s[0]], m[s[1]])
            a1, b1, c1, d1 = _mix(a1, b1, c1, d1, m[s[2]], m[s[3]])
            a2, b2, c2, d2 = _mix(a2, b2, c2, d2, m[s[4]], m[s[5]])
            a3, b3, c3, d3 = _mix(a3, b3, c3, d3, m[s[6]], m[s[7]])
            a0, b1, c2, d3 = _mix(a0, b1, c2, d3, m[s[8]], m[s[9]])
            a1, b2, c3, d0 = _mix(a1, b2, c3, d0, m[s[10]], m[s[11]])
            a2, b3, c0, d1 = _mix(a2, b3, c0, d1, m[s[12]], m[s[13]])
            a3, b0, c1, d2 = _mix(a3, b0, c1, d2, m[s[14]], m[s[15]])
        out[index] = parameters ^ a0 ^ c0
