"""asr evaluate: error rates on data sets."""

from __future__ import annotations

import argparse
from pathlib import Path

from asr.commands.options import Groups, add_model, complain, load_transcriber


def add(groups: Groups) -> None:
    """Its options."""
    evaluate = groups.add_parser(
        "evaluate",
        help="word error rates on data sets",
        description="Transcribe data sets and score the result. Each set is scored by itself.",
        epilog="Example: asr evaluate data/manifests/dev-clean.jsonl --decoder beam",
    )
    evaluate.add_argument(
        "data", nargs="+", type=Path, help="manifests, or folders in LibriSpeech's layout"
    )
    add_model(evaluate)
    evaluate.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    evaluate.add_argument(
        "--hyp", type=Path, metavar="FILE", help="write hypotheses: utterance id, space, text"
    )
    evaluate.add_argument(
        "--alignments", action="store_true", help="show each utterance with its errors marked"
    )
    evaluate.add_argument(
        "--pool", action="store_true", help="add a row for all the sets taken as one"
    )
    evaluate.set_defaults(run=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    """Error rates on data sets."""
    import json

    from rich.console import Console

    from asr import evaluate as evaluation
    from asr.files import write_text

    sets = [data for path in options.data for data in evaluation.read_data(path)]
    transcriber = load_transcriber(options)
    results = [evaluation.evaluate(transcriber, data, options.batch_size) for data in sets]
    for result in results:
        for failure in result.failures:
            complain(f"not scored: {failure}")
    console = Console()
    if options.alignments:
        for result in results:
            evaluation.print_alignments(result, console)
    rows = [*results, evaluation.pool(results)] if options.pool else results
    described = evaluation.describe_run(transcriber)
    records = [evaluation.to_record(row) | described for row in rows]
    title = f"{described['threads']} threads, {described['device']}"
    evaluation.print_table(records, title, console)
    if options.json:
        report = {
            "model": options.model,
            **described,
            "sets": records,
        }
        write_text(options.json, json.dumps(report, indent=2) + "\n")
    if options.hyp:
        lines = [
            f"{utterance.utterance_id} {hypothesis}".rstrip() + "\n"
            for result in results
            for utterance, hypothesis in zip(result.references, result.hypotheses, strict=True)
        ]
        write_text(options.hyp, "".join(lines))
    return 1 if any(result.failures for result in results) else 0
