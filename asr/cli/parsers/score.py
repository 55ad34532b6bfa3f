"""Options of asr score."""

from __future__ import annotations

from pathlib import Path

from asr.cli.parsers.shared import (
    TRANSCRIPTS_READ,
    Commands,
    add_score_outputs,
    add_transcript_reading,
)


def add(commands: Commands) -> None:
    """Adds the command and its options."""
    score = commands.add_parser(
        "score",
        help="word error rates of transcripts",
        description="Score transcripts against a reference, matched by utterance id. A missing "
        "utterance counts as deleted, one too much is not scored, and both are named. "
        f"{TRANSCRIPTS_READ}",
        epilog="Example: asr score dev-clean.jsonl hypotheses.trn --json figures.json",
    )
    score.add_argument("reference", type=Path, metavar="REF", help="what was said")
    score.add_argument("hypothesis", type=Path, metavar="HYP", help="what a recogniser wrote")
    add_transcript_reading(score)
    add_score_outputs(score)
    score.set_defaults(run="asr.cli.score:run")
