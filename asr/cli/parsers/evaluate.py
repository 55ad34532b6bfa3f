"""Options of asr evaluate."""

from __future__ import annotations

from pathlib import Path

from asr.cli.parsers.shared import Commands, add_model, add_score_outputs, positive


def add(commands: Commands) -> None:
    """Adds the command and its options."""
    evaluate = commands.add_parser(
        "evaluate",
        help="word error rates on data sets",
        description="Transcribe data sets and score the result. Each set is scored by itself.",
        epilog="Example: asr evaluate data/manifests/dev-clean.jsonl --decoder beam",
    )
    evaluate.add_argument(
        "data", nargs="+", type=Path, help="manifests, or folders in LibriSpeech's layout"
    )
    add_model(evaluate)
    add_score_outputs(evaluate)
    evaluate.add_argument(
        "--hyp", type=Path, metavar="FILE", help="write hypotheses: utterance id, space, text"
    )
    evaluate.add_argument(
        "--pool", action="store_true", help="add a row for all the sets taken as one"
    )
    evaluate.add_argument(
        "--report",
        type=Path,
        metavar="FILE",
        help="write an HTML page of charts and utterances: alignment, sound, log-mel, posteriors",
    )
    evaluate.add_argument(
        "--report-pictures",
        type=positive,
        metavar="N",
        help="draw log-mel and posteriors of the N worst utterances (default: what fits 30 MB)",
    )
    evaluate.add_argument(
        "--report-audio",
        action="store_true",
        help="put the recordings into the page, not links to them",
    )
    evaluate.set_defaults(run="asr.cli.evaluate:run")
