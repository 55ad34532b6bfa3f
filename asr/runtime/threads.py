"""The number of threads that inference uses."""

from __future__ import annotations

import os


def count_threads() -> int:
    """``OMP_NUM_THREADS``, as torch reads it; by default one per core this process may use."""
    requested = os.environ.get("OMP_NUM_THREADS", "").split(",")[
        0
    ]  # further values are for nested parallelism
    if requested.isdigit() and int(requested):
        return int(requested)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
