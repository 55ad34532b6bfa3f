"""asr score: error rates of anybody's transcripts."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

from asr.cli.options import Groups
from asr.cli.outputs import write_all
from asr.cli.texts import READS, add_reading, describe, read_hypotheses, read_references


def add(groups: Groups) -> None:
    """Its options."""
    score = groups.add_parser(
        "score",
        help="word error rates of transcripts",
        description="Score transcripts against a reference, matched by utterance id. A missing "
        f"utterance counts as deleted, one too much is not scored, and both are named. {READS}",
        epilog="Example: asr score dev-clean.jsonl hypotheses.trn --json figures.json",
    )
    score.add_argument("reference", type=Path, metavar="REF", help="what was said")
    score.add_argument("hypothesis", type=Path, metavar="HYP", help="what a recogniser wrote")
    add_reading(score)
    add_output(score)
    score.set_defaults(run=_score)


def add_output(parser: argparse.ArgumentParser) -> None:
    """What is shown and written of a score; evaluate has it too."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    parser.add_argument(
        "--details",
        action="store_true",
        help="show errors by speaker, length and word as well (in the JSON they always are)",
    )
    parser.add_argument(
        "--alignments", action="store_true", help="show each utterance with its errors marked"
    )
    parser.add_argument(
        "--sclite",
        type=Path,
        metavar="DIR",
        help="write trn files for NIST's sclite, and stm and ctm where times are known",
    )


def _score(options: argparse.Namespace) -> int:
    """Error rates of anybody's transcripts."""
    import json

    from rich.console import Console

    from asr.runtime.files import write_text
    from asr.scoring.results import from_pairs, to_details, to_record
    from asr.scoring.sclite import write_sclite
    from asr.scoring.tables import print_alignments, print_details, print_table

    references = read_references(options.reference, options)
    paired = read_hypotheses(options.hypothesis, references, options)
    evaluation = from_pairs(options.hypothesis.stem, paired)
    console = Console()
    if options.alignments:
        print_alignments(evaluation, console)
    record = to_record(evaluation)
    print_table([record], f"{options.hypothesis} against {options.reference}", console)
    outputs: list[Callable[[], object]] = []
    if options.details or options.json:
        details = to_details(evaluation)
        if options.details:
            print_details(evaluation.name, details, console)
        if options.json:
            report = {
                "reference": str(options.reference),
                "hypothesis": str(options.hypothesis),
                **describe(options),
                "missing": paired.missing,
                "extra": paired.extra,
                "sets": [record | details],
            }
            outputs.append(partial(write_text, options.json, json.dumps(report, indent=2) + "\n"))
    if options.sclite:
        outputs.append(partial(write_sclite, options.sclite, evaluation))
    written = write_all(outputs)
    return 1 if paired.missing or paired.extra or not written else 0
