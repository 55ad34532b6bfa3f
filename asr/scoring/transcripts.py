"""Transcripts of references and hypotheses, in the formats in which people keep them.

Formats are told by extension or content. A file of a format that is not known is refused, not read
as a known one.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from asr.audio.read import EXTENSIONS
from asr.config.choices import TRANSCRIPT_FORMATS
from asr.corpora.manifest import default_id, read_offset, segment_id
from asr.corpora.transcript_table import EXTENSIONS_OF_TABLES, read_table
from asr.errors import AsrError
from asr.runtime.files import walk_files
from asr.runtime.textfile import read_text
from asr.scoring.captions import is_segment_table, is_srt, parse_captions, parse_segment_table
from asr.scoring.ctm import TimedText, parse_ctm
from asr.scoring.stm import Segment, parse_stm, seconds

Role = Literal["reference", "hypothesis"]
Lines: TypeAlias = list[tuple[int, str]]  # numbers and texts of the lines that are not blank

# What `asr transcribe -o` writes, the most telling first.
WRITTEN_FORMATS = ("json", "ctm", "trn", "txt", "tsv", "vtt", "srt")

_TRN = re.compile(r"(?P<text>.*?)\s*\((?P<id>[^()\s]+)\)")
_COMMENT = ";;"
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
# Formats of transcripts that are known but not read, by the beginning of their files.
_FOREIGN = {
    "File type =": "a TextGrid",
    "<": "XML or HTML",
    "SPEAKER ": "RTTM",
    "[Script Info]": "ASS subtitles",
    "{\\rtf": "RTF",
    "%PDF": "a PDF",
}


@dataclass(frozen=True)
class UtteranceText:
    """The reference or the hypothesis of an utterance."""

    utterance_id: str
    text: str
    speaker: str | None = None
    duration: float | None = None  # seconds
    audio_filepath: str | None = None
    labels: tuple[str, ...] = ()  # of an STM segment


@dataclass(frozen=True)
class Transcripts:
    """The contents of a file or a folder."""

    path: Path
    format: str
    utterances: Sequence[UtteranceText] = ()
    segments: Sequence[Segment] = ()  # of STM
    words: Sequence[TimedText] = ()  # of CTM, with alternatives in braces

    @property
    def may_be_marked(self) -> bool:
        """Whether braces in the texts are alternations: in NIST's formats."""
        return self.format in ("stm", "ctm", "trn")


def read_transcripts(
    path: str | Path, format: str | None = None, role: Role = "reference"
) -> list[UtteranceText]:
    """Reads transcripts by utterance id; see :func:`read`."""
    return list(read(path, format, role).utterances)


def read(path: str | Path, format: str | None = None, role: Role = "reference") -> Transcripts:
    """Reads transcripts.

    Args:
        path: a file, a folder with LibriSpeech's ``*.trans.txt`` below, or a folder that
            ``asr transcribe -o`` wrote.
        format: of :data:`asr.config.choices.TRANSCRIPT_FORMATS`; by default the file's extension
            or its contents tell.
        role: the hypothesis of a NeMo record is its ``pred_text``, the reference its ``text``.

    Raises:
        AsrError: the file can't be read, its format is not known, a line is damaged, or two lines
            have one utterance id.
    """
    path = Path(path)
    if path.is_dir():
        if files := sorted(f for f in walk_files(path) if f.name.endswith(".trans.txt")):
            return Transcripts(
                path, "txt", _unique(path, [file_utterances(f, "txt", role) for f in files])
            )
        return Transcripts(path, "txt", _read_written(path, role))
    text = _read_checked(path)
    format = format or _guess(path, text)
    if format == "stm":
        return Transcripts(path, format, segments=parse_stm(_lines(text), path))
    if format == "ctm":
        return Transcripts(path, format, words=parse_ctm(_lines(text), path))
    return Transcripts(path, format, _unique(path, [_parse(path, text, format, role)]))


def file_utterances(path: Path, format: str, role: Role) -> list[tuple[UtteranceText, str]]:
    """The utterances of a file, each with its place for errors."""
    return _parse(path, _read_checked(path), format, role)


def _unique(
    path: Path, files: Sequence[Sequence[tuple[UtteranceText, str]]]
) -> list[UtteranceText]:
    """All utterances of the files of ``path``.

    Raises:
        AsrError: two have one id, or there are none.
    """
    found: dict[str, UtteranceText] = {}
    places: dict[str, str] = {}
    for file in files:
        for utterance, where in file:
            name = utterance.utterance_id
            if name in found:
                raise AsrError(
                    f"the utterance {name} stands twice, in {places[name]} and in {where}; "
                    "leave one of them out"
                )
            found[name], places[name] = utterance, where
    if not found:
        raise AsrError(f"{path} holds no transcript")
    return list(found.values())


def _read_checked(path: Path) -> str:
    text = read_text(path)
    if match := _CONTROL.search(text):
        number = text.count("\n", 0, match.start()) + 1
        raise AsrError(f"line {number} of {path} holds control characters; is it text?")
    return text


def _lines(text: str) -> Lines:
    """The lines that are neither blank nor comments."""
    # Not splitlines, which also breaks at characters that may stand within a text.
    lines = [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1)]
    return [(number, line) for number, line in lines if line and not line.startswith(_COMMENT)]


def _guess(path: Path, text: str) -> str:
    """The format of a file by its extension, else by its contents.

    Raises:
        AsrError: the format is known not to be read.
    """
    start = text.lstrip()
    for beginning, name in _FOREIGN.items():
        if start.startswith(beginning):
            raise AsrError(f"{path} is {name}, which is not read; convert it to trn or text")
    suffix = path.suffix.lower()
    if suffix in EXTENSIONS_OF_TABLES:
        return "tsv"
    if suffix == ".json" and _is_json_lines(start):
        return "jsonl"
    if suffix[1:] in TRANSCRIPT_FORMATS and suffix != ".txt":
        return suffix[1:]
    if start.startswith("WEBVTT"):
        return "vtt"
    if is_srt(text):
        return "srt"
    if is_segment_table(text):
        return "tsv"
    if start.startswith("{") and (_is_json_lines(start) or _is_json(start)):
        return "jsonl" if _is_json_lines(start) else "json"
    lines = [line for _, line in _lines(text)]
    if lines and all(_TRN.fullmatch(line) for line in lines):
        return "trn"
    for format, is_format in (("ctm", _is_ctm), ("stm", _is_stm)):
        if lines and all(map(is_format, lines)):
            return format
    return "txt"


def _is_json_lines(text: str) -> bool:
    """Whether the first line is a JSON object by itself, and no transcript of one recording."""
    first = text.split("\n", 1)[0]
    return _is_json(first) and "segments" not in json.loads(first)


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _is_ctm(line: str) -> bool:
    fields = line.split()
    return len(fields) in (5, 6) and all(f == "*" or seconds(f) >= 0 for f in fields[2:4])


def _is_stm(line: str) -> bool:
    fields = line.split()
    return len(fields) >= 5 and all(seconds(field) >= 0 for field in fields[3:5])


def _parse(path: Path, text: str, format: str, role: Role) -> list[tuple[UtteranceText, str]]:
    """The utterances of a file in a format with utterance ids, or of one recording."""
    if format in ("srt", "vtt"):
        return [(UtteranceText(path.stem, parse_captions(text, path)), str(path))]
    if format == "json":
        return [(_recording(path, text), str(path))]
    if format == "tsv":
        return list(_table(path, text))
    lines = _lines(text) if format == "trn" else _all_lines(text)
    if format == "txt":
        return _text_lines(lines, path)
    parse: Callable[[str, str], UtteranceText] = _trn
    if format == "jsonl":
        key = "pred_text" if role == "hypothesis" and '"pred_text"' in text else "text"

        def parse(line: str, where: str) -> UtteranceText:
            return _json_record(line, where, key, path.parent)

    return [(parse(line, where), where) for line, where in _places(lines, path)]


def _all_lines(text: str) -> Lines:
    return [(n, line.strip("\r")) for n, line in enumerate(text.split("\n"), 1) if line.strip()]


def _places(lines: Lines, path: Path) -> Iterator[tuple[str, str]]:
    for number, line in lines:
        yield line, f"line {number} of {path}"


def _table(path: Path, text: str) -> Iterator[tuple[UtteranceText, str]]:
    """A table of segments of one recording, or one with columns of audio and text."""
    if is_segment_table(text):
        yield UtteranceText(path.stem, parse_segment_table(text, path)), str(path)
        return
    rows, misfits = read_table(path)
    for number, fault in misfits:
        raise AsrError(f"line {number} of {path} can't be read: {fault}")
    for row in rows:
        name = _without_extension(row.audio)
        if row.start is not None:
            name = segment_id(name, row.start)
        yield UtteranceText(name, row.text, row.speaker), f"line {row.line} of {path}"


def _trn(line: str, where: str) -> UtteranceText:
    match = _TRN.fullmatch(line)
    if not match:
        raise AsrError(f"{where} does not end with an utterance id in parentheses, as trn has it")
    return UtteranceText(match["id"], match["text"])


def _text_lines(lines: Lines, path: Path) -> list[tuple[UtteranceText, str]]:
    """Lines of utterance id and text, or of path, tab and text as transcribe prints them."""
    rows = []
    stems: Counter[str] = Counter()  # of the paths
    for line, where in _places(lines, path):
        name, tab, text = line.partition("\t")
        is_path = bool(tab) and Path(name).suffix.lower() in EXTENSIONS
        if not is_path:
            name, *rest = line.split(maxsplit=1)
            text = "".join(rest)
        stems[Path(name).stem] += is_path
        rows.append((name, text.strip(), is_path, where))
    utterances = []
    for name, text, is_path, where in rows:
        if is_path:  # Recordings of one name in several folders keep their folders.
            name = Path(name).stem if stems[Path(name).stem] == 1 else _without_extension(name)
        utterances.append((UtteranceText(name, text), where))
    return utterances


def _without_extension(audio: str) -> str:
    path = Path(audio)
    return str(path.with_suffix("")) if path.suffix.lower() in EXTENSIONS else audio


def _json_record(line: str, where: str, key: str, folder: Path) -> UtteranceText:
    record = _json_object(line, where)
    audio, text, duration = (record.get(name) for name in ("audio_filepath", key, "duration"))
    audio = audio if isinstance(audio, str) and audio else None
    name = record.get("utterance_id")
    if name in (None, "") and audio:
        name = default_id(audio, read_offset(record, where))
    if not isinstance(name, str | int) or isinstance(name, bool) or name == "":
        raise AsrError(f"{where} has neither utterance_id nor audio_filepath")
    if not isinstance(text, str):
        raise AsrError(f"{where} has no {key}")
    speaker = record.get("speaker")
    return UtteranceText(
        str(name),
        text,
        None if speaker is None else str(speaker),
        float(duration) if isinstance(duration, int | float) and 0 < duration < 1e9 else None,
        audio and str(folder / audio),
    )


def _recording(path: Path, text: str) -> UtteranceText:
    """The transcript of one recording as one JSON object with ``text``."""
    record = _json_object(text, str(path))
    if not isinstance(record.get("text"), str):
        raise AsrError(f"{path} has no text")
    audio = record.get("audio_filepath")
    known = isinstance(audio, str) and audio not in ("", "-")
    return UtteranceText(Path(str(audio)).stem if known else path.stem, record["text"])


def _json_object(text: str, where: str) -> dict[str, Any]:
    try:
        record = json.loads(text)
        json.dumps(record, ensure_ascii=False).encode()  # no half of a surrogate pair
    except (ValueError, RecursionError) as error:
        raise AsrError(f"{where} is not a JSON object") from error
    if not isinstance(record, dict):
        raise AsrError(f"{where} is not a JSON object")
    return record


def _read_written(folder: Path, role: Role) -> list[UtteranceText]:
    """A folder that ``asr transcribe -o`` wrote: a file for each recording, named after it.

    Raises:
        AsrError: there are no such files, or one can't be read.
    """
    found: dict[Path, Path] = {}
    files = sorted(file for file in walk_files(folder) if file.is_file())
    for format in WRITTEN_FORMATS:
        for file in files:
            if file.suffix == f".{format}":
                found.setdefault(file.with_suffix(""), file)
    if not found:
        raise AsrError(
            f"{folder} is a folder without transcripts: neither *.trans.txt nor files that asr "
            "transcribe -o writes"
        )
    names = [str(place.relative_to(folder)) for place in found]
    counts = Counter(Path(name).name for name in names)
    return [
        UtteranceText(
            name if counts[Path(name).name] > 1 else Path(name).name, _written_text(file, role)
        )
        for name, file in zip(names, found.values(), strict=True)
    ]


def _written_text(file: Path, role: Role) -> str:
    """The text of one recording, whatever the format."""
    text = _read_checked(file)
    format = file.suffix[1:]
    if format == "txt":
        return " ".join(text.split())
    if format == "ctm":
        words = parse_ctm(_lines(text), file)
        return " ".join(word.text for word in words)
    return " ".join(utterance.text for utterance, _ in _parse(file, text, format, role))
