"""How functions are compiled: by numba, without Python's lock, divisions by zero as in numpy."""

from __future__ import annotations

from typing import Any

from numba import njit

try:  # numba can leave references uncounted, by an option that it does not promise to keep
    from numba.core.options import DefaultOptions

    _COUNTED = not hasattr(DefaultOptions, "_nrt")
except ImportError:
    _COUNTED = True

# A product and the sum it goes into may be rounded once, as processors do at no cost; the order of
# sums stays as it is written.
FUSED: dict[str, Any] = {"fastmath": {"contract"}}


def compiled(function: Any, **options: Any) -> Any:
    """What Python calls.

    Its machine code is kept on disk: beside its file, in the user's cache folder if that is
    read-only, and nowhere if both are; then each run waits for it anew.
    """
    try:
        return njit(nogil=True, cache=True, error_model="numpy", **options)(function)
    except RuntimeError:  # there is no folder to keep it in
        return inner(function, **options)


def inner(function: Any, **options: Any) -> Any:
    """What only compiled functions call: it is kept on disk as part of them."""
    return njit(nogil=True, error_model="numpy", **options)(function)


def uncounted(function: Any, **options: Any) -> Any:
    """An inner function that makes no arrays, nor do those that it calls.

    numba counts references to arrays, in atomic operations, at every call and in many a loop; in
    small functions that takes longer than what they are for. Here nobody need count them: the
    caller keeps the arrays that it passes.
    """
    if not _COUNTED:
        options["_nrt"] = False
    return inner(function, **options)
