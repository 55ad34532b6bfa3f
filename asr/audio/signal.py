"""Sample rate and array type of every signal inside the package."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000  # Hz

Samples = NDArray[np.float32]
"""Mono samples at 16 kHz, shape (samples,), nominally within [-1, 1]."""
