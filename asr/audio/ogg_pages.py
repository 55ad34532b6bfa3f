"""Ogg pages (RFC 3533): the logical streams of a file, one behind the other or side by side.

libsndfile reads the first link of a chain only.
"""

from __future__ import annotations

from dataclasses import dataclass

_MAGIC = b"OggS"
_HEADER = 27  # bytes
_FIRST, _LAST = 2, 4  # flags of a page that begins or ends a logical stream


@dataclass(frozen=True)
class OggLink:
    """A link of a chain: a range of bytes that is an Ogg file of its own."""

    start: int
    stop: int
    streams: int  # side by side
    complete: bool  # whether its last page is whole


def scan_ogg(data: bytes) -> list[OggLink]:
    """Walks over all pages of a file, possibly mapped; bytes that are no pages are skipped."""
    links: list[OggLink] = []
    start = position = 0
    serials: set[bytes] = set()
    in_headers = True  # only first pages of streams were seen since ``start``
    complete = True
    while (position := data.find(_MAGIC, position)) >= 0:
        if position + _HEADER > len(data):
            complete = False
            break
        segments = data[position + _HEADER : position + _HEADER + data[position + 26]]
        stop = position + _HEADER + len(segments) + sum(segments)
        first = bool(data[position + 5] & _FIRST)
        if first and not in_headers:
            links.append(OggLink(start, position, len(serials), True))
            start, serials = position, set()
        in_headers = first
        serials.add(data[position + 14 : position + 18])
        complete = stop <= len(data) and len(segments) == data[position + 26]
        position = stop if complete else position + len(_MAGIC)
    if serials:
        links.append(OggLink(start, len(data), len(serials), complete))
    return links
