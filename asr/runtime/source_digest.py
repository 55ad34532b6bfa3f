"""A digest of the source that a module is made from: its own, and that of all that it imports."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

_PACKAGE = __name__.split(".", maxsplit=1)[0]
_ROOT = Path(__file__).resolve().parents[1]
_IMPORT = re.compile(
    rf"^[ \t]*(?:from[ \t]+({_PACKAGE}[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|.*)"
    rf"|import[ \t]+({_PACKAGE}[\w.]*))",
    re.MULTILINE,
)


def source_digest(module: str) -> str:
    """SHA-256 over the files of :func:`imported_modules`.

    Args:
        module: its full name.

    Raises:
        OSError: it is no module of this package, or there is no source.
    """
    if module.split(".", maxsplit=1)[0] != _PACKAGE:
        raise FileNotFoundError(f"{module} is no module of {_PACKAGE}")
    digests = [f"{name} {_read(name)[0]}\n" for name in sorted(imported_modules(module))]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def imported_modules(module: str) -> set[str]:
    """A module and all modules of this package that it imports, at any depth."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        if (name := waiting.pop()) not in found:
            found.add(name)
            waiting += _read(name)[1]
    return found


@cache
def _read(module: str) -> tuple[str, tuple[str, ...]]:
    """The digest of one module's file, and the modules of this package that it imports."""
    source = _file(module).read_bytes()
    imported = []
    for package, names, plain in _IMPORT.findall(source.decode()):
        submodules = [f"{package}.{name}" for name in re.findall(r"\w+", names)]
        present = [name for name in submodules if _file(name).exists()]
        imported += present or [package or plain]
    return hashlib.sha256(source).hexdigest(), tuple(imported)


def _file(module: str) -> Path:
    path = _ROOT.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
