"""asr compare: whether one set of transcripts is better than another."""

from __future__ import annotations

import argparse
import json

from rich.console import Console

from asr.cli.texts import describe, read_hypotheses, read_references
from asr.runtime.files import write_text
from asr.scoring.comparison import (
    FEW_SEGMENTS,
    FEW_UNITS,
    Comparison,
    compare,
    comparison_record,
)
from asr.scoring.results import from_pairs, to_record
from asr.scoring.tables import print_table


def run(options: argparse.Namespace) -> int:
    """Whether one set of transcripts is better than another."""
    references = read_references(options.reference, options)
    paths = (options.first, options.second)
    pairs = [read_hypotheses(path, references, options) for path in paths]
    names = [path.stem for path in paths]
    if names[0] == names[1]:
        names = [str(path) for path in paths]
    comparison = compare(*map(from_pairs, names, pairs))
    _print(comparison, options.changed, Console())
    if options.json:
        report = {
            "reference": str(options.reference),
            "hypotheses": [str(path) for path in paths],
            **describe(options),
            "missing": [pair.missing for pair in pairs],
            "extra": [pair.extra for pair in pairs],
            **comparison_record(comparison),
        }
        write_text(options.json, json.dumps(report, indent=2) + "\n")
    return 1 if any(pair.missing or pair.extra for pair in pairs) else 0


def _print(comparison: Comparison, changed: int, console: Console) -> None:
    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    records = [to_record(evaluation) for evaluation in (comparison.first, comparison.second)]
    print_table(records, "", console)
    drawn, matched = comparison.bootstrap, comparison.matched_pairs
    difference = f"B - A: {100 * comparison.difference:+.2f} points of WER"
    if drawn.low is None or drawn.high is None or drawn.improvement is None:
        say(f"{difference}\nPaired bootstrap: one utterance is too few to redraw")
    else:
        say(f"{difference}, 95 % interval {100 * drawn.low:+.2f} to {100 * drawn.high:+.2f}")
        rough = " (few: interval and p-value are rough)" if drawn.units < FEW_UNITS else ""
        say(
            f"Paired bootstrap over {drawn.units} {drawn.over}{rough}: {_p(drawn.p)}; "
            f"B is better on {100 * drawn.improvement:.1f} % of the redrawn sets"
        )
    rough = " (few: the p-value is rough)" if matched.segments < FEW_SEGMENTS else ""
    say(f"Matched pairs (MAPSSWE) over {matched.segments} segments{rough}: {_p(matched.p)}")
    same = comparison.first.score.utterances - len(comparison.changes)
    better = sum(change.difference < 0 for change in comparison.changes)
    worse = len(comparison.changes) - better
    say(f"Of the utterances, {better} have fewer errors in B, {worse} have more, {same} as many.")
    for change in comparison.changes[: max(0, changed)]:
        counts = f"{change.first_errors} errors to {change.second_errors}"
        say(f"\n{change.reference.utterance_id}: {counts}")
        say(f"REF: {change.reference.text}\n  A: {change.first}\n  B: {change.second}")


def _p(value: float) -> str:
    return f"p = {value:.4f}" if value >= 0.0001 else "p < 0.0001"
