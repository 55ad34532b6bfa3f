"""Tables of transcripts (csv, tsv, LJSpeech's metadata.csv), whatever their columns are called."""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from asr.audio.read import EXTENSIONS
from asr.errors import AsrError
from asr.runtime.textfile import read_text

EXTENSIONS_OF_TABLES = frozenset([".csv", ".psv", ".tsv"])

_TIME = re.compile(r"(\d+:){0,2}\d+([.,]\d*)?")
_DELIMITERS = "\t|;,"  # the rarer in speech, the earlier
_QUOTED = ";,"  # where they may stand in a text, which is then quoted

# Names of columns, the more telling first.
# fmt: off
_AUDIO = (
    "path", "audio_filepath", "audio_path", "audio_file", "audio_filename", "audio_file_name",
    "filepath", "file_path", "filename", "file_name", "wav_filename", "wav_path", "wav_file",
    "audio", "wav", "file", "clip", "utterance_id", "id",
)
_TEXT = (
    "normalized_text", "normalised_text", "normalized_transcript", "normalized_transcription",
    "sentence", "transcript", "transcription", "text",
)
# fmt: on
_SPEAKER = ("client_id", "speaker_id", "speaker", "speaker_name")
_START = ("start", "start_time", "segment_start", "begin", "offset", "start_seconds", "start_sec")
_END = ("end", "end_time", "segment_end", "stop", "end_seconds", "end_sec")
_DURATION = ("duration", "dur", "length")


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    line: int
    audio: str  # as the table names it
    text: str
    speaker: str | None
    start: float | None = None  # seconds, of a segment of the audio
    end: float | None = None


@dataclass(frozen=True)
class _Columns:
    audio: int
    text: int
    speaker: int | None
    width: int
    start: int | None = None
    end: int | None = None
    duration: int | None = None

    @property
    def last(self) -> int:
        """The last column that a row must have."""
        return max(self.audio, self.text, self.start or 0, self.end or 0)


def find_tables(folder: Path) -> list[Path]:
    """The tables that lie in ``folder``, without those that name what an earlier time left out."""
    return [
        path
        for path in sorted(folder.glob("*"))
        if path.suffix.lower() in EXTENSIONS_OF_TABLES
        and not path.name.endswith(".skipped.tsv")
        and not path.name.startswith("._")
        and path.is_file()
    ]


def read_table(path: Path) -> tuple[list[Row], list[tuple[int, str]]]:
    """Reads a table whose delimiter, header and columns are found by looking at it.

    Without a header the first column is the audio, and the text is the one with the most letters:
    of LJSpeech's two that is the one with numbers spelled out.

    Returns:
        The rows; and number and fault of each line that does not fit the others.

    Raises:
        AsrError: it can't be read, or has no columns for audio and text.
    """
    text = read_text(path)
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise AsrError(f"the table {path} is empty")
    delimiter = _find_delimiter(lines)
    if delimiter is None:
        raise AsrError(
            f"the table {path} has no columns; put a tab, |, ; or , between audio and text"
        )
    records = [(n, r) for n, r in _split(text, delimiter) if any(field.strip() for field in r)]
    if not records:
        raise AsrError(f"the table {path} is empty")
    columns = _from_header(records[0][1], path)
    if columns is None:
        columns = _from_content([record for _, record in records])
    else:
        del records[0]
    rows = []
    misfits = []
    for number, record in records:
        if len(record) <= columns.last or any(record[columns.width :]):
            fault = f"it has {len(record)} columns where the table has {columns.width}"
            misfits.append((number, fault))
        elif not record[columns.audio].strip():
            misfits.append((number, "it names no audio"))
        else:
            speakers = [] if columns.speaker is None else record[columns.speaker :]
            speaker = speakers[0].strip() if speakers else ""
            audio, transcript = record[columns.audio].strip(), record[columns.text]
            times = _times(record, columns)
            if times is None:
                misfits.append((number, "its start and end are no times, the end behind the start"))
            else:
                rows.append(Row(number, audio, transcript, speaker or None, *times))
    return rows, misfits


def _times(record: Sequence[str], columns: _Columns) -> tuple[float | None, float | None] | None:
    """Start and end of a row's segment, (None, None) of a whole file; None if it is no segment."""
    if columns.start is None:
        return None, None
    start = parse_time(record[columns.start])
    if columns.end is not None:
        end = parse_time(record[columns.end])
    else:
        fields = record[columns.duration :] if columns.duration is not None else []
        length = parse_time(fields[0]) if fields else math.nan
        end = start + length
    return (start, end) if 0 <= start < end else None


def parse_time(text: str) -> float:
    """Seconds, from a number or from [hours:]minutes:seconds; NaN for anything else."""
    if not _TIME.fullmatch(text.strip()):
        return math.nan
    seconds = 0.0
    for part in text.strip().replace(",", ".").split(":"):
        seconds = 60 * seconds + float(part)
    return seconds


def _find_delimiter(lines: Sequence[str]) -> str | None:
    for delimiter in _DELIMITERS:
        first = _fields(lines[0], delimiter)
        if _find(first, _AUDIO) is not None and _find(first, _TEXT) is not None:
            return delimiter
    return next((d for d in _DELIMITERS if all(d in line for line in lines[:50])), None)


def _split(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The number of each line, from 1, and its fields."""
    if delimiter in _QUOTED:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        try:
            records = [(reader.line_num, record) for record in reader]
        except csv.Error:  # a quotation mark that is only that; it must not swallow what follows
            pass
        else:
            yield from records
            return
    for number, line in enumerate(io.StringIO(text, newline=None), 1):
        line = line.removesuffix("\n")
        yield number, _fields(line, delimiter) if delimiter in _QUOTED else line.split(delimiter)


def _fields(line: str, delimiter: str) -> list[str]:
    """The fields of one line; quotation marks count only if they make sense."""
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return line.split(delimiter)


def _from_header(record: Sequence[str], path: Path) -> _Columns | None:
    """The columns if ``record`` is a header, None if it is a row like the others."""
    audio, text = _find(record, _AUDIO), _find(record, _TEXT)
    if audio is not None and text is not None:
        start, end = _find(record, _START), _find(record, _END)
        duration = _find(record, _DURATION)
        if start is not None and end is None and duration is None:
            raise AsrError(
                f"the table {path} has a column {record[start].strip()}, but none of the end or "
                f"the duration; call it 'end' or 'duration'"
            )
        speaker = _find(record, _SPEAKER)
        return _Columns(
            audio, text, speaker, len(record), start, None if start is None else end, duration
        )
    if Path(record[0].strip()).suffix.lower() in EXTENSIONS or (audio is None and text is None):
        return None
    missing, name = ("audio", _AUDIO[0]) if audio is None else ("text", "text")
    raise AsrError(
        f"the table {path} has no column of {missing} that is known by its name; its columns are "
        f"{', '.join(record)}: call the one of {missing} {name!r}"
    )


def _from_content(records: Sequence[Sequence[str]]) -> _Columns:
    width = Counter(map(len, records)).most_common(1)[0][0]
    letters = Counter[int]()
    for record in records:
        for column, field in enumerate(record[1:width], 1):
            letters[column] += sum(map(str.isalpha, field))
    text = max(letters, key=lambda column: (letters[column], column), default=1)
    return _Columns(0, text, None, width)


def _find(header: Sequence[str], names: Sequence[str]) -> int | None:
    """The position of the first of ``names`` that the header has."""
    known = [name.strip().lower().replace(" ", "_").replace("-", "_") for name in header]
    return next((known.index(name) for name in names if name in known), None)
