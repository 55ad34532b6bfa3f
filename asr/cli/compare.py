"""asr compare: two sets of transcripts, by the bootstrap and by matched pairs."""

from __future__ import annotations

import argparse
import json

from rich.console import Console

from asr.cli.texts import Reader
from asr.runtime.files import write_text
from asr.scoring.comparison import (
    FEW_SEGMENTS,
    FEW_UNITS,
    Comparison,
    compare,
)
from asr.scoring.console_tables import print_table
from asr.scoring.figures import summarise
from asr.scoring.results import score_pairs


def run(options: argparse.Namespace) -> int:
    """Compares two sets of transcripts of the same utterances."""
    reader = Reader.of(options)
    reference = reader.read(options.reference, "reference")
    paths = (options.first, options.second)
    pairs = [reader.pair(reference, path) for path in paths]
    matching = reader.matching_for(reference, pairs)
    names = [path.stem for path in paths]
    if names[0] == names[1]:
        names = [str(path) for path in paths]
    comparison = compare(
        *(score_pairs(name, paired, matching) for name, paired in zip(names, pairs, strict=True))
    )
    _print(comparison, options.changed, Console())
    if options.json:
        report = {
            "reference": str(options.reference),
            "hypotheses": [str(path) for path in paths],
            **reader.describe(matching),
            "missing": [pair.missing for pair in pairs],
            "extra": [pair.extra for pair in pairs],
            **comparison.to_json(),
        }
        write_text(options.json, json.dumps(report, indent=2) + "\n")
    return 1 if any(pair.missing or pair.extra for pair in pairs) else 0


def _print(comparison: Comparison, changed: int, console: Console) -> None:
    def print_line(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    print_table([summarise(comparison.first), summarise(comparison.second)], "", console)
    resampled, matched = comparison.bootstrap, comparison.matched_pairs
    difference = f"B - A: {100 * comparison.difference:+.2f} points of WER"
    if resampled.low is None or resampled.high is None or resampled.improvement is None:
        print_line(f"{difference}\nPaired bootstrap: one utterance is too few to redraw")
    else:
        print_line(
            f"{difference}, 95 % interval {100 * resampled.low:+.2f} to {100 * resampled.high:+.2f}"
        )
        rough = " (few: interval and p-value are rough)" if resampled.units < FEW_UNITS else ""
        print_line(
            f"Paired bootstrap over {resampled.units} {resampled.over}{rough}: {_p(resampled.p)}; "
            f"B is better on {100 * resampled.improvement:.1f} % of the redrawn sets"
        )
    rough = " (few: the p-value is rough)" if matched.segments < FEW_SEGMENTS else ""
    print_line(f"Matched pairs (MAPSSWE) over {matched.segments} segments{rough}: {_p(matched.p)}")
    same = comparison.first.score.utterances - len(comparison.changes)
    better = sum(change.difference < 0 for change in comparison.changes)
    worse = len(comparison.changes) - better
    print_line(
        f"Of the utterances, {better} have fewer errors in B, {worse} have more, {same} as many."
    )
    for change in comparison.changes[: max(0, changed)]:
        counts = f"{change.first_errors} errors to {change.second_errors}"
        print_line(f"\n{change.reference.utterance_id}: {counts}")
        print_line(f"REF: {change.reference.text}\n  A: {change.first}\n  B: {change.second}")


def _p(value: float) -> str:
    return f"p = {value:.4f}" if value >= 0.0001 else "p < 0.0001"
