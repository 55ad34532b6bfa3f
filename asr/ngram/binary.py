"""The project's binary format of language models, exact or compact.

A file is a magic number, a head (JSON) and sections of arrays. The exact form holds the arrays of
:class:`~asr.ngram.model.NgramModel` as they are, to be used where they lie in a memory map. The
compact form (:mod:`asr.ngram.compact`) holds them in a tenth of the space and is unpacked. A
checksum covers every byte: an array with a wrong index would otherwise crash compiled code.
"""

from __future__ import annotations

import json
import mmap
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr.errors import AsrError
from asr.ngram import compact
from asr.ngram.model import NgramModel
from asr.runtime.files import atomic, why_unreadable

MAGIC = b"\x93ASR-LM1"  # the last character is the version of the format

_ALIGNMENT = 64  # bytes, of each array
_ARRAYS = ("word", "log_prob", "backoff", "first_child", "suffix")
_CHUNK = 1 << 24  # bytes to checksum at a time


def is_binary(path: Path) -> bool:
    """Whether a file begins as this form does, of whatever version."""
    try:
        with open(path, "rb") as file:
            return file.read(len(MAGIC))[:-1] == MAGIC[:-1]
    except OSError as error:
        raise AsrError(f"the language model {path} {why_unreadable(error)}") from error


def write_binary(model: NgramModel, path: Path, *, exact: bool = False) -> None:
    """Writes a model.

    Args:
        model: the model.
        path: the file.
        exact: keep every bit, for the memory map; else the compact form.
    """
    if exact:
        head: dict[str, Any] = {"form": "exact", "order": model.order, "top": model.top}
        sections: dict[str, NDArray[Any]] = {name: getattr(model, name) for name in _ARRAYS}
        text = "\n".join(model.words).encode()
        sections["words"] = np.frombuffer(text, np.uint8)
    else:
        head, sections = compact.pack(model)
        head["form"] = "compact"
    with atomic(path) as temporary, open(temporary, "wb") as file:
        for part in _lay_out(head, sections):
            file.write(part)


def compact_size(model: NgramModel) -> int:
    """How many bytes the compact form of ``model`` takes as a file."""
    head, sections = compact.pack(model)
    return sum(map(len, _lay_out(head, sections)))


def read_binary(path: Path) -> NgramModel:
    """Reads a model; the arrays of an exact one are views of the file.

    Raises:
        AsrError: the file can't be read, is damaged or of another version.
    """
    damaged = AsrError(
        f"the language model {path} is damaged or cut short; write or fetch it again"
    )
    try:
        with open(path, "rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError as error:  # it is empty
        raise damaged from error
    except OSError as error:
        raise AsrError(f"the language model {path} {why_unreadable(error)}") from error
    if data[: len(MAGIC)] != MAGIC:
        raise AsrError(
            f"the language model {path} is of another version of asr; write it again from its ARPA "
            "file, or take the version of asr that it comes from"
        )
    try:
        head, sections = _take_apart(data)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise damaged from error
    if head["form"] == "compact":
        return compact.unpack(head, sections)
    words = sections.pop("words").tobytes().decode().split("\n")
    top = head["top"]
    sections["backoff"] = sections["backoff"][:top]  # older files have more of both
    sections["first_child"] = sections["first_child"][: top + 1]
    return NgramModel(order=head["order"], top=top, words=words, **sections)


def _lay_out(
    head: dict[str, Any], sections: Mapping[str, NDArray[Any]]
) -> list[bytes | memoryview]:
    """The parts of a file: magic, sizes and checksum of what follows, head, aligned arrays."""
    places = {}
    parts: list[bytes | memoryview] = []
    position = 0
    for name, array in sections.items():
        places[name] = [array.dtype.str, position, len(array)]
        padding = -array.nbytes % _ALIGNMENT
        parts += [np.ascontiguousarray(array).data.cast("B") if len(array) else b"", bytes(padding)]
        position += array.nbytes + padding
    text = json.dumps({**head, "sections": places}).encode()
    start = len(MAGIC) + 3 * 8
    text += b" " * (-(start + len(text)) % _ALIGNMENT)
    parts.insert(0, text)
    checksum = 0
    for part in parts:
        checksum = zlib.crc32(part, checksum)
    numbers = np.array([len(text), len(text) + position, checksum], "<u8")
    return [MAGIC, numbers.tobytes(), *parts]


def _take_apart(data: mmap.mmap) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The head, and views of the arrays.

    Raises:
        ValueError: the file does not hold what was written.
    """
    start = len(MAGIC) + 3 * 8
    length, size, expected = np.frombuffer(data, "<u8", 3, len(MAGIC)).tolist()
    view = memoryview(data)[start:]
    if len(view) != size:
        raise ValueError("its size is wrong")
    checksum = 0
    for position in range(0, size, _CHUNK):
        checksum = zlib.crc32(view[position : position + _CHUNK], checksum)
    if checksum != expected:
        raise ValueError("its checksum is wrong")
    head = json.loads(bytes(view[:length]))
    arrays = {
        name: np.frombuffer(data, dtype, count, start + length + position)
        for name, (dtype, position, count) in head.pop("sections").items()
    }
    return head, arrays
