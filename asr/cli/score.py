"""asr score: error rates of the transcripts of any system."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial

from rich.console import Console

from asr.cli.outputs import write_all
from asr.cli.texts import Reader, warn_of_case
from asr.runtime.files import write_text
from asr.scoring.console_tables import print_alignments, print_details, print_table
from asr.scoring.figures import summarise
from asr.scoring.results import score_pairs
from asr.scoring.sclite import write_sclite


def run(options: argparse.Namespace) -> int:
    """Scores transcripts of any system against a reference."""
    reader = Reader.of(options)
    reference = reader.read(options.reference, "reference")
    paired = reader.pair(reference, options.hypothesis)
    matching = reader.matching_for(reference, [paired])
    evaluation = score_pairs(options.hypothesis.stem, paired, matching)
    warn_of_case(evaluation, options.hypothesis)
    console = Console()
    if options.alignments:
        print_alignments(evaluation, console)
    figures = summarise(evaluation, details=options.details or options.json is not None)
    print_table([figures], f"{options.hypothesis} against {options.reference}", console)
    outputs: list[Callable[[], object]] = []
    if options.details and figures.details:
        print_details(evaluation.name, figures.details, console)
    if options.json:
        report = {
            "reference": str(options.reference),
            "hypothesis": str(options.hypothesis),
            **reader.describe(matching),
            "missing": paired.missing,
            "extra": paired.extra,
            "sets": [figures.to_json()],
        }
        outputs.append(partial(write_text, options.json, json.dumps(report, indent=2) + "\n"))
    if options.sclite:
        outputs.append(partial(write_sclite, options.sclite, evaluation))
    written = write_all(outputs)
    return 1 if paired.missing or paired.extra or not written else 0
