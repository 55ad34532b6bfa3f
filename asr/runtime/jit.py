"""The compile decorators: numba without Python's lock, dividing by zero as numpy does, cached on
disk.

Machine code is kept for as long as the source that it is made from is unchanged
(:mod:`asr.runtime.source_cache`), so compiled functions may stand in several files.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import numpy as np
from numba import njit

from asr.runtime.source_cache import SourceCache

try:  # numba can leave references uncounted, by an option that it does not promise to keep
    from numba.core.options import DefaultOptions

    _UNCOUNTED = {"_nrt": False} if hasattr(DefaultOptions, "_nrt") else {}
except ImportError:
    _UNCOUNTED = {}

Function = TypeVar("Function", bound=Callable[..., Any])

# A product and the sum it goes into may be rounded once, as processors do at no cost; the order of
# sums stays as it is written.
_FUSED = {"contract"}


def compiled(function: Function, **options: Any) -> Function:
    """A function that Python calls.

    Its machine code is kept on disk: beside its file, in the user's cache folder if that is
    read-only, and nowhere if both are; then each run compiles it anew.
    """
    found = inner(function, **options)
    # With no folder to keep it in, another numba's cache or no source at hand, nothing is kept.
    with suppress(RuntimeError, AttributeError, TypeError, OSError):
        found._cache = SourceCache(function)  # type: ignore[attr-defined]
    return found


def inner(function: Function, **options: Any) -> Function:
    """A function that only compiled functions call; it is kept on disk as part of them."""
    found: Function = njit(nogil=True, error_model="numpy", **options)(function)
    return found


def uncounted(function: Function, **options: Any) -> Function:
    """An inner function that makes no arrays, nor do those that it calls.

    numba counts references to arrays, in atomic operations, at every call and in many a loop; in
    small functions that takes longer than the work itself. Here nobody need count them: the caller
    keeps the arrays that it passes.
    """
    return inner(function, **_UNCOUNTED, **options)


def inlined(function: Function, **options: Any) -> Function:
    """An uncounted function that numba writes into its callers, so that a call costs nothing.

    It parts long functions into readable ones where records of many arrays are passed, all fields
    of which would be copied at every call. Inlining by LLVM instead made the search 12 % slower.
    """
    return uncounted(function, inline="always", **options)


def fused(function: Function) -> Function:
    """A function that Python calls, with fused multiply-add."""
    return compiled(function, fastmath=_FUSED)


def fused_inner(function: Function) -> Function:
    """An uncounted function with fused multiply-add."""
    return uncounted(function, fastmath=_FUSED)


@uncounted
def number(value: Any) -> Any:
    """An integer of 64 bits; with one width of integers, few variants are compiled."""
    return np.int64(value)


@uncounted
def double(value: Any) -> Any:
    """A number in double precision."""
    return np.float64(value)
