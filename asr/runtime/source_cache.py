"""numba's cache on disk, keyed by the source that machine code is made from.

numba keeps a function's machine code for as long as the function's own file is unchanged, whatever
the functions and constants that it takes from other files. Here the names of the cache's files
hold a digest of all modules that the function is made from, so stale code is never even found: not
when a constant changes elsewhere, and not when a process ends between numba's writing of the index
and of the code.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from numba.core.caching import FunctionCache, IndexDataCacheFile

from asr.runtime.source_digest import source_digest

_DIGITS = 16  # of the digest, in file names


class SourceCache(FunctionCache):
    """The machine code of one function.

    Raises:
        RuntimeError: there is no folder that can be written to.
        OSError: the function's source is not at hand.
    """

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        self._stem = f"{self._impl.filename_base}-"
        self._key = source_digest(function.__module__)[:_DIGITS]
        self._cache_file = IndexDataCacheFile(self._cache_path, self._stem + self._key, self._key)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The code for a signature, or None; what is damaged counts as not there."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # unpickling what is no pickle may raise anything
            with suppress(OSError):
                self._cache_file.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keeps the code for a signature, where there is room; older sources' code goes."""
        with suppress(OSError):
            super().save_overload(sig, data)
            for path in Path(self._cache_path).glob("*.nb[ci]"):
                if path.name.startswith(self._stem) and self._key not in path.name:
                    os.unlink(path)
