"""Whether a media container is cut off: its outermost boxes reach beyond the end of the file."""

from __future__ import annotations

from collections.abc import Callable

_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_EBML, _SEGMENT = 0x1A45DFA3, 0x18538067
_HEADER = 1 << 16  # bytes, in which a header stands


def is_cut_off(data: bytes) -> bool:
    """Whether bytes are missing at the end of a file, possibly mapped.

    Knows MP4 and its relatives, Matroska, AVI and ASF; other files are taken to be whole.
    """
    checks: tuple[tuple[bool, Callable[[bytes], bool]], ...] = (
        (data[4:8] == b"ftyp", _mp4_is_cut),
        (data[:4] == _EBML.to_bytes(4, "big"), _matroska_is_cut),
        (data[:4] == b"RIFF" and data[8:12] == b"AVI ", _avi_is_cut),
        (data[:16] == _ASF, _asf_is_cut),
    )
    return any(check(data) for applies, check in checks if applies)


def _mp4_is_cut(data: bytes) -> bool:
    """Boxes (ISO 14496-12, section 4.2) fill the file."""
    position = 0
    while position + 8 <= len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        if size == 1:  # 64 bits, behind the name
            size = int.from_bytes(data[position + 8 : position + 16], "big")
        if size < 8:  # 0: up to the end of the file
            return False
        position += size
    return position > len(data)


def _matroska_is_cut(data: bytes) -> bool:
    """Elements (RFC 8794) of known size fill the file; those of a live recording have none."""
    position = 0
    while position < len(data):
        name, position = _vint(data, position, keep_marker=True)
        size, position = _vint(data, position)
        if name is None or size is None:
            return False
        if name == _SEGMENT and position + size <= len(data):
            return False
        position += size
    return position > len(data)


def _vint(data: bytes, position: int, keep_marker: bool = False) -> tuple[int | None, int]:
    """A number of variable length and the position behind it; None if it is unknown."""
    first = data[position] if position < len(data) else 0
    length = 9 - first.bit_length()
    if length > 8:
        return None, position
    value = int.from_bytes(data[position : position + length], "big")
    if keep_marker:
        return value, position + length
    value &= (1 << 7 * length) - 1
    return (None if value == (1 << 7 * length) - 1 else value), position + length


def _avi_is_cut(data: bytes) -> bool:
    size = int.from_bytes(data[4:8], "little")
    return 0 < size < 0xFFFFFFFF and 8 + size > len(data)


def _asf_is_cut(data: bytes) -> bool:
    at = data.find(_ASF_PROPERTIES, 0, _HEADER)
    return at >= 0 and int.from_bytes(data[at + 40 : at + 48], "little") > len(data)
