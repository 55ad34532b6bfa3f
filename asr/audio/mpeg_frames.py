"""MPEG audio frames (MP3, MP2): the samples that a file's bytes hold, whatever its tags promise.

libsndfile estimates the length of a variable-rate file without a Xing tag from its first frame,
and takes that of the first stream for all streams of a file. Only the frames themselves tell.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

_BITRATES = {  # kb/s by index, 1 to 14; keys: MPEG version 1 or not, layer
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_SYNC = re.compile(rb"\xff[\xe2-\xff]")
_TAG = re.compile(rb"(?:Xing|Info)(.{4})(.{4})", re.DOTALL)
_SEARCH = 1 << 16  # bytes from the start within which the first frame must begin
_APE_TAG = b"APETAGEX"


@dataclass(frozen=True)
class _Frame:
    size: int  # bytes
    samples: int
    rate: int
    kind: int  # header bits that stay the same within a stream


@dataclass(frozen=True)
class MpegScan:
    """The frames of a file."""

    frames: int  # whole frames of audio, those that hold a tag not counted
    samples: int  # in these frames, encoder delay and padding included
    seconds: float
    streams: int  # a tag of frame counts or a change of format begins a new one
    promised: int | None  # frames by the tags; None if a stream has none
    cut_off: bool  # whether the last frame is incomplete


def scan_mpeg(data: bytes) -> MpegScan | None:
    """Walks over all frames.

    Args:
        data: the file, possibly mapped.

    Returns:
        None if the file does not begin as an MPEG audio file.
    """
    position = _skip_id3(data, 0)
    first = _next_frame(data, position, min(len(data), position + _SEARCH))
    if first is None:
        return None
    position, frame = first
    frames = streams = 0
    samples: Counter[int] = Counter()  # by rate
    promised: int | None = 0
    kind = -1
    cut = False
    while True:
        tag = _tag(data, position, frame)
        if frame.kind != kind or tag is not None:
            streams += 1
            kind = frame.kind
            promised = None if not tag or promised is None else promised + tag
        if position + frame.size > len(data):
            cut = True
            break
        if tag is None:
            frames += 1
            samples[frame.rate] += frame.samples
        position += frame.size
        following = _frame_at(data, position)
        if following is None:
            found = _next_frame(data, _skip_tags(data, position), len(data))
            if found is None:
                break
            position, following = found
        frame = following
    seconds = sum(count / rate for rate, count in samples.items())
    return MpegScan(frames, samples.total(), seconds, streams, promised, cut)


def _skip_id3(data: bytes, position: int) -> int:
    """Behind an ID3v2 tag, whose length has 7 bits a byte."""
    if data[position : position + 3] != b"ID3" or len(data) < position + 10:
        return position
    a, b, c, d = data[position + 6 : position + 10]
    return position + 10 + (a << 21 | b << 14 | c << 7 | d)


def _skip_tags(data: bytes, position: int) -> int:
    """Behind tags at the end of a stream: ID3v1, APE, ID3v2 of the next stream."""
    while True:
        start = position
        if data[position : position + 3] == b"TAG":
            position += 128
        if data[position : position + 8] == _APE_TAG:
            position += 32 + int.from_bytes(data[position + 12 : position + 16], "little")
        position = _skip_id3(data, position)
        if position == start:
            return position


def _next_frame(data: bytes, position: int, stop: int) -> tuple[int, _Frame] | None:
    """The next header that a second one confirms, or that ends with the file."""
    for match in _SYNC.finditer(data, position, stop):
        start = match.start()
        frame = _frame_at(data, start)
        if frame is None:
            continue
        behind = start + frame.size
        following = _frame_at(data, behind)
        if behind == len(data) or (following is not None and following.kind == frame.kind):
            return start, frame
    return None


def _frame_at(data: bytes, position: int) -> _Frame | None:
    """The frame whose header stands at ``position`` (ISO 11172-3, section 2.4.1.3)."""
    if position + 4 > len(data) or data[position] != 0xFF:
        return None
    second, third, fourth = data[position + 1 : position + 4]
    version, layer = second >> 3 & 3, 4 - (second >> 1 & 3)
    bitrate, rate = third >> 4, third >> 2 & 3
    if second < 0xE0 or version == 1 or layer == 4 or not 0 < bitrate < 15 or rate == 3:
        return None
    is_first = version == 3
    bits = 1000 * _BITRATES[is_first, layer][bitrate - 1]
    hertz = _RATES[version][rate]
    padding = third >> 1 & 1
    if layer == 1:
        size, samples = 4 * (12 * bits // hertz + padding), 384
    else:
        samples = 576 if layer == 3 and not is_first else 1152
        size = samples // 8 * bits // hertz + padding
    mono = fourth >> 6 == 3
    return _Frame(size, samples, hertz, (second & 0x1E) << 3 | rate << 1 | mono)


def _tag(data: bytes, position: int, frame: _Frame) -> int | None:
    """The frames that a tag counts, 0 if it has no count; None for a frame of audio."""
    body = data[position : position + min(frame.size, 64)]
    if body[36:40] == b"VBRI":
        return int.from_bytes(body[50:54], "big")
    found = _TAG.search(body)
    if found is None:
        return None
    return int.from_bytes(found[2], "big") if found[1][3] & 1 else 0
