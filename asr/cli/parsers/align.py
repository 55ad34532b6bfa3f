"""Options of asr align."""

from __future__ import annotations

from pathlib import Path

from asr.cli.parsers.shared import Commands, positive
from asr.config.choices import ALIGNMENT_FORMATS


def add(commands: Commands) -> None:
    """Adds the command and its options."""
    align = commands.add_parser(
        "align",
        help="find when the words of a known text were said",
        description="Align a recording of any length with its text: when each word and each "
        "character was said, and how sure that is. Texts are brought to the form that the model "
        "writes. With a manifest (JSON lines of audio_filepath and text), all its recordings are "
        "aligned, and one that can't be is reported and skipped.",
        epilog="Example: asr align talk.wav talk.txt --format TextGrid -o aligned",
    )
    align.add_argument("audio", nargs="?", type=Path, metavar="AUDIO", help="a recording")
    align.add_argument("text_file", nargs="?", type=Path, metavar="TEXT", help="a file of its text")
    align.add_argument("--text", metavar="WORDS", help="its text, instead of a file")
    align.add_argument("--manifest", type=Path, metavar="FILE", help="recordings with their texts")
    align.add_argument(
        "--format", choices=(*ALIGNMENT_FORMATS, "all"), default="ctm", help="default: ctm"
    )
    align.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="write a file for each recording into it"
    )
    align.add_argument(
        "--model", metavar="NAME_OR_DIR", help="a model's folder or a bundled model's name"
    )
    align.add_argument(
        "--batch-size", type=positive, default=8, metavar="N", help="pieces of audio at a time"
    )
    align.add_argument("--device", default="auto", help="cpu, cuda or auto")
    align.set_defaults(run="asr.cli.align:run")
