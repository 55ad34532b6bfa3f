"""Chunks of WAV, RF64 and AIFF files: where the audio ends, whatever the header says.

A recorder that dies leaves a size of 0 or a placeholder; sizes of 32 bits wrap around at 4 GB.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_PLACEHOLDER = 0x7FFFF000  # sizes from here on are written by programs that don't know the size
_WRAP = 1 << 32
_SLOPPY = 0.1  # seconds; some programs count their headers too
# Compression types of AIFF-C whose samples have the size that the header says.
_PLAIN = (b"NONE", b"sowt", b"twos", b"in24", b"in32", b"fl32", b"FL32", b"fl64", b"FL64")
_SIZE_64 = 0xFFFFFFFF  # of RF64: the size stands in the ds64 chunk


@dataclass(frozen=True)
class AudioExtent:
    """The audio of a file: its header, and the range of bytes behind it."""

    header: bytes  # up to the first sample, with a true length
    start: int  # of the samples
    stop: int
    seconds: float
    promised: float | None  # seconds by the header, None if it has no true length
    following: int  # where another file begins, or the end of this one

    @property
    def cut_off(self) -> bool:
        """Whether samples that the header promises are missing."""
        return self.promised is not None and self.promised > self.seconds + _SLOPPY


def scan_wav(data: bytes, start: int = 0) -> AudioExtent | None:
    """Finds the samples of a RIFF, RIFX or RF64 file in ``data``, possibly mapped.

    Returns:
        None if it has no format or no data chunk, which libsndfile judges.
    """
    order = ">" if data[start : start + 4] == b"RIFX" else "<"
    position = start + 12
    form = b""
    long_size: int | None = None
    while position + 8 <= len(data):
        name = data[position : position + 4]
        (size,) = struct.unpack(order + "I", data[position + 4 : position + 8])
        position += 8
        if name == b"data":
            break
        if name == b"fmt ":
            form = data[position - 8 : position + size]
        if name == b"ds64":
            (long_size,) = struct.unpack("<Q", data[position + 8 : position + 16])
        position += size + size % 2
    else:
        return None
    if len(form) < 24:
        return None
    channels, rate, bytes_a_second, block = struct.unpack(order + "HIIH", form[10:22])
    bytes_a_second = bytes_a_second or rate * block
    if bytes_a_second == 0 or channels == 0:
        return None
    is_long = size == _SIZE_64 and bool(long_size)
    if is_long:
        size = long_size or 0
    available = len(data) - position
    if is_long and size > available:
        known, length, following = True, available, len(data)
    else:
        known, length, following = _length(data, position, size, available, order, bytes_a_second)
    riff = _wav_header(form, length, order)
    return AudioExtent(
        riff,
        position,
        position + length,
        length / bytes_a_second,
        size / bytes_a_second if known else None,
        following,
    )


def scan_aiff(data: bytes, start: int = 0) -> AudioExtent | None:
    """Finds the samples of an AIFF or AIFF-C file in ``data``, possibly mapped."""
    position = start + 12
    common = frames_at = 0
    while position + 8 <= len(data):
        name = data[position : position + 4]
        (size,) = struct.unpack(">I", data[position + 4 : position + 8])
        if name == b"COMM":
            common, frames_at = position, position + 10
        if name == b"SSND":
            break
        position += 8 + size + size % 2
    else:
        return None
    if not common or len(data) < common + 26:
        return None
    if data[start + 8 : start + 12] == b"AIFC" and data[common + 26 : common + 30] not in _PLAIN:
        return None
    channels, frames, bits = struct.unpack(">HIH", data[common + 8 : common + 16])
    exponent, mantissa = struct.unpack(">HQ", data[common + 16 : common + 26])
    rate = mantissa * 2.0 ** ((exponent & 0x7FFF) - 16_383 - 63)
    block = channels * ((bits + 7) // 8)
    if block == 0 or not 1.0 <= rate < 1e9:
        return None
    begin = position + 16  # behind offset and block size
    available = max(0, len(data) - begin)
    known, length, following = _length(
        data, begin, max(0, size - 8), available, ">", int(rate * block)
    )
    header = bytearray(data[start:begin])
    header[4:8] = struct.pack(">I", min(_SIZE_64, begin - start - 8 + length))
    at = frames_at - start
    header[at : at + 4] = struct.pack(">I", min(_SIZE_64, length // block))
    at = position + 4 - start
    header[at : at + 4] = struct.pack(">I", min(_SIZE_64, length + 8))
    seconds = length / block / rate
    promised = frames / rate if known else None
    return AudioExtent(bytes(header), begin, begin + length, seconds, promised, following)


def _length(
    data: bytes, start: int, size: int, available: int, order: str, bytes_a_second: int
) -> tuple[bool, int, int]:
    """Whether the header knows the length; the bytes of audio; where another file begins."""
    behind = start + size + size % 2
    if size <= available and available - size < _WRAP:
        if data[behind : behind + 4] in (b"RIFF", b"RIFX", b"RF64", b"FORM"):
            return True, size, behind
        if available - size < bytes_a_second // 4 or _are_chunks(data, behind, order):
            return True, size, len(data)
        return False, available, len(data)
    if size <= available:  # 4 GB or more are left: the size has wrapped around
        return False, size + (available - size) // _WRAP * _WRAP, len(data)
    if size >= _PLACEHOLDER:
        return False, available, len(data)
    return True, available, len(data)


def _are_chunks(data: bytes, position: int, order: str) -> bool:
    """Whether chunks fill the rest of the file."""
    while position + 8 <= len(data):
        name = data[position : position + 4]
        if not name.isascii() or not name.decode("ascii").isprintable():
            return False
        (size,) = struct.unpack(order + "I", data[position + 4 : position + 8])
        position += 8 + size + size % 2
    return position >= len(data) - 8


def _wav_header(form: bytes, length: int, order: str) -> bytes:
    """A header with a format chunk and a true length, of 64 bits where 32 are too few."""
    form += b"\0" * (len(form) % 2)
    if length + len(form) + 64 < _WRAP:
        riff = b"RIFX" if order == ">" else b"RIFF"
        sizes = struct.pack(order + "I", 4 + len(form) + 8 + length)
        return riff + sizes + b"WAVE" + form + b"data" + struct.pack(order + "I", length)
    sizes = struct.pack("<QQQI", 4 + 36 + len(form) + 8 + length, length, 0, 0)
    unknown = struct.pack("<I", _SIZE_64)
    ds64 = b"ds64" + struct.pack("<I", len(sizes)) + sizes
    return b"RF64" + unknown + b"WAVE" + ds64 + form + b"data" + unknown
