"""asr evaluate: error rates on data sets."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial

from rich.console import Console

from asr.acoustic.folder import DEFAULT_MODEL
from asr.cli.messages import complain
from asr.cli.outputs import check_output, write_all
from asr.cli.transcriber import load_transcriber
from asr.errors import AsrError
from asr.evaluation.evaluate import DataSet, describe_run, evaluate, read_sets
from asr.runtime.files import write_text
from asr.scoring.console_tables import print_alignments, print_details, print_table
from asr.scoring.figures import summarise
from asr.scoring.results import pool
from asr.scoring.sclite import check_id, write_sclite


def run(options: argparse.Namespace) -> int:
    """Transcribes data sets and scores the transcripts."""
    sets = read_sets(options.data)
    _check_outputs(options, sets)
    transcriber = load_transcriber(options)
    results = [evaluate(transcriber, data, options.batch_size) for data in sets]
    for result in results:
        for failure in result.failures:
            complain(f"not scored: {failure}")
    rows = [*results, pool(results)] if options.pool else results
    run_setup = describe_run(transcriber)
    details = bool(options.details or options.json or options.report)
    sets_figures = [summarise(row, run_setup, details=details) for row in rows]

    # Files come first: whatever fails while printing or drawing, the long work is not lost.
    outputs: list[Callable[[], object]] = []
    if options.hyp:
        lines = [
            f"{utterance.utterance_id} {hypothesis}".rstrip() + "\n"
            for result in results
            for utterance, hypothesis in zip(result.references, result.hypotheses, strict=True)
        ]
        outputs.append(partial(write_text, options.hyp, "".join(lines)))
    if options.sclite:
        outputs += [partial(write_sclite, options.sclite, result) for result in results]
    if options.json:
        figures_json = [figures.to_json() for figures in sets_figures]
        report = {"model": options.model, **asdict(run_setup), "sets": figures_json}
        outputs.append(partial(write_text, options.json, json.dumps(report, indent=2) + "\n"))
    written = write_all(outputs)

    console = Console()
    if options.alignments:
        for result in results:
            print_alignments(result, console)
    print_table(sets_figures, f"{run_setup.threads} threads, {run_setup.device}", console)
    if options.details:
        for figures in sets_figures:
            if figures.details:
                print_details(figures.name, figures.details, console)
    if options.report:
        # Not above: its pictures need torch, which an evaluation on the CPU does not.
        from asr.evaluation.report.write import write_report

        page = partial(
            write_report,
            options.report,
            results,
            sets_figures,
            transcriber.recogniser,
            str(options.model or DEFAULT_MODEL),
            options.report_pictures,
            options.report_audio,
        )
        written &= write_all([page])
    return 0 if written and not any(result.failures for result in results) else 1


def _check_outputs(options: argparse.Namespace, sets: Sequence[DataSet]) -> None:
    """Refuses outputs that could not be written, before the long work."""
    for path in (options.hyp, options.json, options.report):
        if path:
            check_output(path)
    names: dict[str, str] = {}
    for data in sets:
        for utterance in data.utterances:
            name = utterance.utterance_id
            if options.sclite:
                check_id(name)
            if options.hyp and names.get(name, data.name) != data.name:
                raise AsrError(
                    f"the utterance {name} of {data.name} is in {names[name]} already, and "
                    f"{options.hyp} can hold only one of them; leave out --hyp or one of the two"
                )
            names[name] = data.name
    if options.sclite:
        check_output(options.sclite, is_folder=True)
