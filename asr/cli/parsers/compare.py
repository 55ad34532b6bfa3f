"""Options of asr compare."""

from __future__ import annotations

from pathlib import Path

from asr.cli.parsers.shared import TRANSCRIPTS_READ, Commands, add_transcript_reading


def add(commands: Commands) -> None:
    """Adds the command and its options."""
    compare = commands.add_parser(
        "compare",
        help="whether one recogniser is better than another",
        description="Compare two recognisers on the same utterances: the difference of their word "
        "error rates with its 95 %% interval, and whether it is more than chance, by the paired "
        f"bootstrap and by matched pairs (MAPSSWE). {TRANSCRIPTS_READ}",
        epilog="Example: asr compare dev-clean.jsonl greedy.txt beam.txt",
    )
    compare.add_argument("reference", type=Path, metavar="REF", help="what was said")
    compare.add_argument("first", type=Path, metavar="A", help="what a recogniser wrote")
    compare.add_argument("second", type=Path, metavar="B", help="what another one wrote")
    add_transcript_reading(compare)
    compare.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    compare.add_argument(
        "--changed",
        type=int,
        default=5,
        metavar="N",
        help="show the utterances that changed most (default: 5)",
    )
    compare.set_defaults(run="asr.cli.compare:run")
