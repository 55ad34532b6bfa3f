"""Subtitles (SRT, WebVTT) and tables of segments (TSV) as the text of one recording."""

from __future__ import annotations

import re

from asr.errors import AsrError

_TIMES = re.compile(
    r"\s*((\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})\s+-->\s+((\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})"
)
_BLANK = re.compile(r"\n[ \t]*\n")
_VTT_SKIPPED = ("NOTE", "STYLE", "REGION")
_VOICE = re.compile(r"</?[a-zA-Z][^<>]*>|<\d[\d:.]*>")  # <v Anna>, <i>, <00:01.000>
_TSV_COLUMNS = ("start", "end", "text")


def is_srt(text: str) -> bool:
    """Whether a text begins as SRT does: with a number and a line of times."""
    lines = text.lstrip().split("\n", 2)
    return len(lines) > 1 and lines[0].strip().isdigit() and bool(_TIMES.match(lines[1]))


def parse_captions(text: str, path: object) -> str:
    """The words of SRT or WebVTT, without numbers, times and markup.

    Raises:
        AsrError: a block of lines is no cue.
    """
    cues: list[str] = []
    blocks = _BLANK.split(text.replace("\r\n", "\n").replace("\r", "\n").strip())
    if blocks and blocks[0].startswith("WEBVTT"):
        del blocks[0]
    for block in blocks:
        lines = block.strip("\n").split("\n")
        if lines == [""] or lines[0].startswith(_VTT_SKIPPED):
            continue
        place = next((n for n, line in enumerate(lines[:2]) if _TIMES.match(line)), None)
        if place is None:
            raise AsrError(f"{path} has a cue without times: {lines[0]!r}")
        cues += lines[place + 1 :]
    return " ".join(_VOICE.sub("", " ".join(cues)).split())


def is_segment_table(text: str) -> bool:
    """Whether a text begins with the header of a table of segments, as transcribe writes it."""
    header = text.split("\n", 1)[0].strip().lower().split("\t")
    return all(column in header for column in _TSV_COLUMNS)


def parse_segment_table(text: str, path: object) -> str:
    """The words of a table of segments with a column ``text``.

    Raises:
        AsrError: a row has another number of columns than the header.
    """
    header, *rows = text.rstrip("\n").replace("\r", "").split("\n")
    columns = header.strip().lower().split("\t")
    place = columns.index("text")
    texts = []
    for number, row in enumerate(rows, 2):
        fields = row.split("\t")
        if len(fields) != len(columns):
            raise AsrError(
                f"line {number} of {path} has {len(fields)} columns, the header {len(columns)}"
            )
        texts.append(fields[place])
    return " ".join(" ".join(texts).split())
