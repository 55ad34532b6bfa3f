"""How many threads work at a time."""

from __future__ import annotations

import os


def count_threads() -> int:
    """``OMP_NUM_THREADS``, as torch takes it; by default one for each core this process may use."""
    wished = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]  # further ones are of nested work
    if wished.isdigit() and int(wished):
        return int(wished)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
