"""What the commands that score transcripts share: how these are read and compared."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from asr.cli.messages import complain
from asr.scoring.pairing import Paired, UtteranceText, pair, read_transcripts, with_speakers
from asr.text import normalise


def read_references(path: Path, options: argparse.Namespace) -> list[UtteranceText]:
    """What was said, in the form in which it is compared."""
    references = _in_form(read_transcripts(path, options.format), options)
    return with_speakers(references, options.speakers) if options.speakers else references


def read_hypotheses(
    path: Path, references: Sequence[UtteranceText], options: argparse.Namespace
) -> Paired:
    """What a recogniser made of it; names what is missing or too much."""
    paired = pair(references, _in_form(read_transcripts(path, options.format), options))
    for name in paired.missing:
        complain(f"{path} lacks {name}: all its words count as deleted")
    for name in paired.extra:
        complain(f"not scored: {name} of {path} is not in the reference")
    return paired


def describe(options: argparse.Namespace) -> dict[str, object]:
    """In which form texts were compared, for JSON."""
    return {"ignore_case": options.ignore_case, "normalise": options.normalise}


def _in_form(
    utterances: Sequence[UtteranceText], options: argparse.Namespace
) -> list[UtteranceText]:
    def form(text: str) -> str:
        text = normalise(text) if options.normalise else text
        return text.upper() if options.ignore_case else text

    return [replace(utterance, text=form(utterance.text)) for utterance in utterances]
