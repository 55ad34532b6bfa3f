"""Transcripts as people keep them (trn, text, JSON lines), paired by utterance id."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from asr.errors import AsrError
from asr.runtime.textfile import read_text

_TRN = re.compile(r"(?P<text>.*?)\s*\((?P<id>[^()\s]+)\)")
_COMMENT = ";;"  # begins a line of a trn file that is none
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class UtteranceText:
    """The reference or the hypothesis of an utterance."""

    utterance_id: str
    text: str
    speaker: str | None = None
    duration: float | None = None  # seconds
    audio_filepath: str | None = None


@dataclass(frozen=True)
class Paired:
    """References with their hypotheses, matched by utterance id."""

    references: Sequence[UtteranceText]
    hypotheses: Sequence[str]  # at the same positions, empty where missing
    missing: Sequence[str]  # ids of references without hypothesis
    extra: Sequence[str]  # ids of hypotheses without reference, which are not scored


def read_transcripts(path: str | Path, format: str | None = None) -> list[UtteranceText]:
    """Reads transcripts.

    Args:
        path: a file, or a folder with LibriSpeech's ``*.trans.txt`` below.
        format: of :data:`asr.config.choices.TRANSCRIPT_FORMATS`; by default the file's extension
            or its first lines tell.

    Raises:
        AsrError: the file can't be read, a line of it is damaged, or two have one utterance id.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(path.rglob("*.trans.txt"))
        if not files:
            raise AsrError(f"{path} is a folder without transcripts (*.trans.txt)")
        format = "txt"
    else:
        files = [path]
    found: dict[str, UtteranceText] = {}
    places: dict[str, str] = {}
    for file in files:
        lines = _lines(file)
        parse = _PARSERS[format or _guess(file, lines)]
        for number, line in lines:
            where = f"line {number} of {file}"
            utterance = parse(line, where)
            if utterance is None:
                continue
            name = utterance.utterance_id
            if name in found:
                raise AsrError(
                    f"the utterance {name} stands twice, in {places[name]} and in {where}; "
                    "leave one of them out"
                )
            if utterance.audio_filepath:
                audio = str(file.parent / utterance.audio_filepath)
                utterance = replace(utterance, audio_filepath=audio)
            found[name], places[name] = utterance, where
    if not found:
        raise AsrError(f"{path} holds no transcript")
    return list(found.values())


def pair(references: Sequence[UtteranceText], hypotheses: Sequence[UtteranceText]) -> Paired:
    """Pairs references with hypotheses by utterance id.

    Raises:
        AsrError: no reference has a hypothesis.
    """
    texts = {utterance.utterance_id: utterance.text for utterance in hypotheses}
    names = {utterance.utterance_id for utterance in references}
    if names.isdisjoint(texts):
        raise AsrError(
            "reference and hypothesis have no utterance in common: the first ids are "
            f"{references[0].utterance_id} and {hypotheses[0].utterance_id}"
        )
    return Paired(
        references,
        [texts.get(utterance.utterance_id, "") for utterance in references],
        [u.utterance_id for u in references if u.utterance_id not in texts],
        [name for name in texts if name not in names],
    )


def with_speakers(utterances: Sequence[UtteranceText], speakers: str) -> list[UtteranceText]:
    """The same utterances with their speakers.

    Args:
        utterances: what was said.
        speakers: a file with utterance id and speaker in each line (Kaldi's utt2spk), or ``id`` for
            what stands before the first hyphen of each utterance id, as in LibriSpeech.

    Raises:
        AsrError: the file can't be read, or an utterance has no speaker.
    """
    if speakers == "id":
        names = {u.utterance_id: u.utterance_id.partition("-")[0] for u in utterances}
    else:
        names = {u.utterance_id: u.text for u in read_transcripts(speakers, "txt") if u.text}
    for utterance in utterances:
        if utterance.utterance_id not in names:
            raise AsrError(f"{speakers} has no speaker for the utterance {utterance.utterance_id}")
    return [replace(u, speaker=names[u.utterance_id]) for u in utterances]


def _lines(path: Path) -> list[tuple[int, str]]:
    """Numbers and texts of the lines with something in them."""
    # Not splitlines, which also breaks at characters that may stand within a text.
    lines = read_text(path).split("\n")
    found = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    for number, line in found:
        if _CONTROL.search(line):
            raise AsrError(f"line {number} of {path} holds control characters; is it text?")
    return found


def _guess(path: Path, lines: Sequence[tuple[int, str]]) -> str:
    if path.suffix == ".trn":
        return "trn"
    if path.suffix in (".jsonl", ".json") or (lines and lines[0][1].startswith("{")):
        return "jsonl"
    texts = [line for _, line in lines if not line.startswith(_COMMENT)]
    return "trn" if texts and all(_TRN.fullmatch(line) for line in texts) else "txt"


def _trn(line: str, where: str) -> UtteranceText | None:
    if line.startswith(_COMMENT):
        return None
    match = _TRN.fullmatch(line)
    if not match:
        raise AsrError(f"{where} does not end with an utterance id in parentheses, as trn has it")
    return UtteranceText(match["id"], match["text"])


def _txt(line: str, where: str) -> UtteranceText:
    name, *text = line.split(maxsplit=1)
    return UtteranceText(name, "".join(text))


def _json(line: str, where: str) -> UtteranceText:
    try:
        record = json.loads(line)
        json.dumps(record, ensure_ascii=False).encode()  # no half of a surrogate pair
    except (ValueError, RecursionError) as error:
        raise AsrError(f"{where} is not a JSON object") from error
    if not isinstance(record, dict):
        raise AsrError(f"{where} is not a JSON object")
    audio, text, duration = (record.get(key) for key in ("audio_filepath", "text", "duration"))
    audio = audio if isinstance(audio, str) and audio else None
    name = record.get("utterance_id")
    if name in (None, "") and audio:
        name = Path(audio).stem
    if not isinstance(name, str | int) or isinstance(name, bool) or name == "":
        raise AsrError(f"{where} has neither utterance_id nor audio_filepath")
    if not isinstance(text, str):
        raise AsrError(f"{where} has no text")
    speaker = record.get("speaker")
    return UtteranceText(
        str(name),
        text,
        None if speaker is None else str(speaker),
        float(duration) if isinstance(duration, int | float) and 0 < duration < 1e9 else None,
        audio,
    )


_Parse = Callable[[str, str], UtteranceText | None]  # of a line, and where it stands
_PARSERS: dict[str, _Parse] = {"trn": _trn, "txt": _txt, "jsonl": _json}
