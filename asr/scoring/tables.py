"""Figures as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from asr.scoring.error_rates import picture
from asr.scoring.results import Evaluation, Record

_NAME = 8  # characters that names have on a line, however narrow the terminal
_ENDLESS = 1_000_000  # characters, more than any table has
_ERRORS = ("WER %", "95 %\ninterval", "sub", "del", "ins")
_WORST = 10  # rows of a list that goes on in the JSON


def print_table(records: Sequence[Record], title: str, console: Console) -> None:
    """The figures of :func:`asr.scoring.results.to_record`, each with its ``decoder`` if it has
    one."""
    has_decoder = any("decoder" in record for record in records)
    has_speed = any(record["rtf"] for record in records)
    table = _table(("set", "decoder") if has_decoder else ("set",))
    _numbers(
        table, "utt.", "words", "WER %", "95 %\ninterval", "sub", "del", "ins", "CER %", "SER %"
    )
    if has_speed:
        _numbers(table, "x real\ntime")
    for record in records:
        utterances = record["utterances"]
        _add_row(
            table,
            record["name"] + ("*" if record.get("scored") == "phones" else ""),
            *([record["decoder"]] if has_decoder else []),
            str(utterances),
            str(record["words"]),
            _percent(record["wer"]),
            _range(record.get("wer_interval")),
            *(str(record[key]) for key in ("substitutions", "deletions", "insertions")),
            _percent(record["cer"]),
            _percent(record["sentence_errors"] / utterances if utterances else None),
            *([f"{1 / record['rtf']:.0f}" if record["rtf"] else "-"] if has_speed else []),
        )
    notes = []
    if any(record.get("scored") == "phones" for record in records):
        notes.append("* phones, not words")
    redrawn = dict.fromkeys(
        record["interval_over"] for record in records if record.get("interval_over")
    )
    if redrawn:
        notes.append(f"Intervals: bootstrap over {' or '.join(redrawn)}.")
    _print(table, title, console)
    for note in notes:
        console.print(note, style="dim", highlight=False)


def to_markdown(records: Sequence[Record], tuned_on: Mapping[str, str]) -> str:
    """The error rates of :func:`asr.scoring.results.to_record` as a table for a model's card.

    Args:
        tuned_on: the set that the language model's weights were tuned on, by the set scored.
    """
    rows = ["| set | decoder | WER % | 95 % interval | CER % |", "|---|---|---|---|---|"]
    for record in records:
        name, decoder = record["name"], record["decoder"]
        if "LM" in decoder and name in tuned_on:
            decoder += f", tuned on {tuned_on[name]}"
        rates = _percent(record["wer"]), _range(record["wer_interval"]), _percent(record["cer"])
        rows.append(f"| {name} | {decoder} | {' | '.join(rates)} |")
    return "\n".join(rows) + "\n"


def print_details(name: str, details: Record, console: Console) -> None:
    """What :func:`asr.scoring.results.to_details` found in the set ``name``."""
    speakers, worst = details["speakers"], details["speakers"][:_WORST]
    if speakers:
        shown = "" if len(worst) == len(speakers) else f", the worst {_WORST} of {len(speakers)}"
        _print_groups(f"{name} by speaker{shown}", "speaker", worst, console)
    _print_groups(f"{name} by length of the reference", "words", details["lengths"], console)
    if details["speaking_rates"]:
        title = f"{name} by speaking rate"
        _print_groups(title, "words/s", details["speaking_rates"], console)
    _print_confusions(name, details["confusions"], console)
    silence = details["silence"]
    if silence["utterances"]:
        console.print(
            f"Silence: {silence['insertions']} words inserted in {silence['with_insertions']} of "
            f"{silence['utterances']} utterances with an empty reference.\n",
            highlight=False,
        )


def print_alignments(evaluation: Evaluation, console: Console) -> None:
    """Reference against hypothesis of every utterance, with the errors marked."""
    for utterance, alignment in zip(
        evaluation.references, evaluation.score.alignments, strict=True
    ):
        console.print(utterance.utterance_id, style="bold", markup=False, highlight=False)
        console.print(picture(alignment) + "\n", markup=False, highlight=False, soft_wrap=True)


def _print_groups(title: str, of: str, groups: Sequence[Record], console: Console) -> None:
    table = _table((of,))
    _numbers(table, "utt.", "ref. words", *_ERRORS)
    for group in groups:
        _add_row(
            table,
            group["name"],
            str(group["utterances"]),
            str(group["words"]),
            _percent(group["wer"]),
            _range(group["wer_interval"]),
            *(str(group[key]) for key in ("substitutions", "deletions", "insertions")),
        )
    _print(table, title, console)


def _print_confusions(name: str, confusions: Record, console: Console) -> None:
    substituted, deleted, inserted = (
        confusions[kind][:_WORST] for kind in ("substitutions", "deletions", "insertions")
    )
    if not (substituted or deleted or inserted):
        return
    table = _table(())
    for kind in ("substituted", "deleted", "inserted"):
        _numbers(table, "")
        table.add_column(kind, overflow="fold", min_width=_NAME)
    for row in range(max(map(len, (substituted, deleted, inserted)))):
        cells: list[str] = []
        for column in (substituted, deleted, inserted):
            entry: Record = column[row] if row < len(column) else {}
            words = f"{entry['reference']} > {entry['hypothesis']}" if "reference" in entry else ""
            cells += [str(entry.get("count", "")), words or entry.get("word", "")]
        _add_row(table, *cells)
    _print(table, f"{name}: the most frequent errors", console)


def _table(names: Sequence[str]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def _add_row(table: Table, *cells: str) -> None:
    table.add_row(*map(Text, cells))  # a name or a word in brackets is no markup


def _print(table: Table, title: str, console: Console) -> None:
    if title:
        console.print(title, style="italic", markup=False, highlight=False, soft_wrap=True)
    # A file or a pipe has no width that the table would have to fit. In a terminal without room for
    # them columns stand closer and names are broken; figures never are.
    width = _width(table, console)
    if console.is_terminal and width > console.width:
        table.padding = (0, 0, 0, 0)
        width = _width(table, console)
        names = [column for column in table.columns if not column.no_wrap]
        longest = [max((cell_len(str(cell)) for cell in c.cells), default=0) for c in names]
        least = width - sum(max(0, length - _NAME) for length in longest)
        width = max(least, min(width, console.width))
    Console(file=console.file, width=width).print(table)


def _width(table: Table, console: Console) -> int:
    """What it takes to have each row on one line."""
    return console.measure(table, options=console.options.update(width=_ENDLESS)).maximum


def _numbers(table: Table, *names: str) -> None:
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)


def _percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:.2f}"


def _range(ends: Any) -> str:
    return f"{100 * ends[0]:.2f}-{100 * ends[1]:.2f}" if ends else "-"
