"""asr evaluate: error rates on data sets."""

from __future__ import annotations

import argparse
from pathlib import Path

from asr.commands.options import Groups, add_model, complain, load_transcriber, positive
from asr.commands.score import add_output


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
    add_output(evaluate)
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
    evaluate.set_defaults(run=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    """Error rates on data sets."""
    import json

    from rich.console import Console

    from asr.evaluate import describe_run, evaluate, read_data
    from asr.files import write_text
    from asr.results import pool, to_details, to_record
    from asr.sclite import write_sclite
    from asr.tables import print_alignments, print_details, print_table

    sets = [data for path in options.data for data in read_data(path)]
    transcriber = load_transcriber(options)
    results = [evaluate(transcriber, data, options.batch_size) for data in sets]
    for result in results:
        for failure in result.failures:
            complain(f"not scored: {failure}")
    console = Console()
    if options.alignments:
        for result in results:
            print_alignments(result, console)
    rows = [*results, pool(results)] if options.pool else results
    described = describe_run(transcriber)
    records = [to_record(row) | described for row in rows]
    print_table(records, f"{described['threads']} threads, {described['device']}", console)
    if options.details or options.json or options.report:
        details = [to_details(row) for row in rows]
        full = [record | found for record, found in zip(records, details, strict=True)]
        if options.details:
            for row, found in zip(rows, details, strict=True):
                print_details(row.name, found, console)
        if options.json:
            report = {"model": options.model, **described, "sets": full}
            write_text(options.json, json.dumps(report, indent=2) + "\n")
        if options.report:
            from asr.checkpoint import DEFAULT_MODEL
            from asr.report.write import write_report

            write_report(
                options.report,
                results,
                full,
                transcriber.recogniser,
                str(options.model or DEFAULT_MODEL),
                options.report_pictures,
                options.report_audio,
            )
    if options.hyp:
        lines = [
            f"{utterance.utterance_id} {hypothesis}".rstrip() + "\n"
            for result in results
            for utterance, hypothesis in zip(result.references, result.hypotheses, strict=True)
        ]
        write_text(options.hyp, "".join(lines))
    if options.sclite:
        for result in results:
            write_sclite(options.sclite, result)
    return 1 if any(result.failures for result in results) else 0
