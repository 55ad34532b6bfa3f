"""asr score: error rates of anybody's transcripts."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial

from rich.console import Console

from asr.cli.outputs import write_all
from asr.cli.texts import describe, read_hypotheses, read_references
from asr.runtime.files import write_text
from asr.scoring.results import from_pairs, to_details, to_record
from asr.scoring.sclite import write_sclite
from asr.scoring.tables import print_alignments, print_details, print_table


def run(options: argparse.Namespace) -> int:
    """Error rates of anybody's transcripts."""
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
