"""How functions are compiled: by numba, without Python's lock, divisions by zero as in numpy."""

from __future__ import annotations

from typing import Any

from numba import njit


def compiled(function: Any) -> Any:
    """What Python calls.

    Its machine code is kept on disk: beside its file, in the user's cache folder if that is
    read-only, and nowhere if both are; then each run waits for it anew.
    """
    try:
        return njit(nogil=True, cache=True, error_model="numpy")(function)
    except RuntimeError:  # there is no folder to keep it in
        return inner(function)


def inner(function: Any) -> Any:
    """What only compiled functions call: it is kept on disk as part of them."""
    return njit(nogil=True, error_model="numpy")(function)
