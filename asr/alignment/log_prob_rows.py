"""Log-probabilities of one recording, in memory or, when large, in a temporary file."""

from __future__ import annotations

import tempfile

import numpy as np
from numpy.typing import NDArray

_IN_MEMORY = 32 << 20  # bytes: about three hours of characters at 25 frames a second


class Rows:
    """Frames of log-probabilities with appending and random reading.

    Args:
        units: number of units, the blank included.
    """

    def __init__(self, units: int) -> None:
        self._units = units
        self._frames = 0
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115

    def __len__(self) -> int:
        """The number of frames."""
        return self._frames

    def append(self, rows: NDArray[np.float32]) -> None:
        """Appends frames, shape (frames, units)."""
        self._file.seek(0, 2)
        self._file.write(rows.astype(np.float32, copy=False).tobytes())
        self._frames += len(rows)

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """The frames from ``start`` up to ``stop``, shape (frames, units)."""
        width = self._units * np.dtype(np.float32).itemsize
        self._file.seek(start * width)
        data = self._file.read((min(stop, self._frames) - start) * width)
        return np.frombuffer(data, np.float32).reshape(-1, self._units)

    def close(self) -> None:
        """Frees memory and disk."""
        self._file.close()
