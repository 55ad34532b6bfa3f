"""Options of asr transcribe."""

from __future__ import annotations

from pathlib import Path

from asr.cli.parsers.shared import Commands, add_model, positive
from asr.transcription.writers import WRITERS


def add(commands: Commands) -> None:
    """Adds the command and its options."""
    transcribe = commands.add_parser(
        "transcribe",
        help="write down what is said in audio files",
        description="Transcribe audio files of any length, and all audio files of folders: WAV, "
        "FLAC, MP3, Ogg with Vorbis or Opus, M4A, MP4, MOV, MKV, WebM, AVI, WMA, AMR, 3GP, AIFF, "
        "AU, CAF, RF64, W64, NIST SPHERE and others. One input prints its text; several print "
        "path, tab, text. A file that can't be read is reported and skipped. What is done stays "
        "when the rest is interrupted.",
        epilog="Example: asr transcribe talks/*.flac --format srt -o subtitles",
    )
    transcribe.add_argument(
        "audio",
        nargs="+",
        help="files, folders, quoted patterns such as '**/*.mp3', or - for standard input",
    )
    add_model(transcribe)
    transcribe.add_argument(
        "--format", choices=(*WRITERS, "all"), default="txt", help="all: a file of each"
    )
    place = transcribe.add_mutually_exclusive_group()
    place.add_argument(
        "-o", "--output", type=Path, help="write a file for each input into this folder"
    )
    place.add_argument(
        "--beside", action="store_true", help="write a file for each input beside it"
    )
    transcribe.add_argument(
        "--skip-existing", action="store_true", help="leave inputs alone whose output is there"
    )
    transcribe.add_argument(
        "--channel",
        type=_channel,
        default="mix",
        metavar="mix|split|N",
        help="the mean of all channels (default), each by itself, or one of them (1, 2, ...)",
    )
    transcribe.set_defaults(run="asr.cli.transcribe:run")


def _channel(text: str) -> str | int:
    """mix, split, or the number of a channel, for argparse."""
    return text if text in ("mix", "split") else positive(text)
