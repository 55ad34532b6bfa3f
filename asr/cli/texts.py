"""What the commands that score transcripts share: how these are read and compared."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from asr.cli.options import complain

if TYPE_CHECKING:
    from asr.scoring.pairing import Paired, UtteranceText

FORMATS = (
    "trn",
    "txt",
    "jsonl",
)  # repeated from asr.scoring.pairing, which need not be imported yet

READS = (
    "Transcripts are read from trn files (text, utterance id in parentheses), text files "
    "(utterance id, text), JSON lines and manifests (utterance_id, text), and folders in "
    "LibriSpeech's layout."
)


def add_reading(parser: argparse.ArgumentParser) -> None:
    """How transcripts are read, and in which form they are compared: by default as they are."""
    parser.add_argument("--format", choices=FORMATS, help="of all files (default: each tells)")
    parser.add_argument(
        "--speakers",
        metavar="FILE",
        help="who speaks: a file of utterance id and speaker (Kaldi's utt2spk), or 'id' for what "
        "stands before the first hyphen of the id (default: as the reference says)",
    )
    parser.add_argument("--ignore-case", action="store_true", help="compare in upper case")
    parser.add_argument(
        "--normalise",
        action="store_true",
        help="compare in the form of LibriSpeech: upper case, no accents, no punctuation but the "
        "apostrophe within words",
    )


def read_references(path: Path, options: argparse.Namespace) -> list[UtteranceText]:
    """What was said, in the form in which it is compared."""
    from asr.scoring.pairing import read_transcripts, with_speakers

    references = _in_form(read_transcripts(path, options.format), options)
    return with_speakers(references, options.speakers) if options.speakers else references


def read_hypotheses(
    path: Path, references: Sequence[UtteranceText], options: argparse.Namespace
) -> Paired:
    """What a recogniser made of it; names what is missing or too much."""
    from asr.scoring.pairing import pair, read_transcripts

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
    from asr.text import normalise

    def form(text: str) -> str:
        text = normalise(text) if options.normalise else text
        return text.upper() if options.ignore_case else text

    return [replace(utterance, text=form(utterance.text)) for utterance in utterances]
