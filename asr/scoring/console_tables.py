"""Figures as tables, for the terminal and for a model's card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from asr.scoring.breakdown import Confusions, Group
from asr.scoring.error_rates import finite, picture
from asr.scoring.figures import Details, Figures
from asr.scoring.results import Evaluation

_NAME = 8  # characters of a name on one line, however narrow the terminal is
_UNLIMITED = 1_000_000  # characters; wider than any table
_ERRORS = ("WER %", "95 %\ninterval", "sub", "del", "ins")
_WORST = 10  # rows of a list; the JSON has them all


def print_table(sets: Sequence[Figures], title: str, console: Console) -> None:
    """Prints the error rates of data sets, each with its decoder if it was decoded here."""
    has_decoder = any(figures.run for figures in sets)
    has_speed = any(figures.rtf for figures in sets)
    table = _table(("set", "decoder") if has_decoder else ("set",))
    _add_number_columns(
        table, "utt.", "words", "WER %", "95 %\ninterval", "sub", "del", "ins", "CER %", "SER %"
    )
    if has_speed:
        _add_number_columns(table, "x real\ntime")
    for figures in sets:
        utterances = figures.utterances
        _add_row(
            table,
            figures.name + ("*" if figures.scored == "phones" else ""),
            *([figures.run.decoder if figures.run else ""] if has_decoder else []),
            str(utterances),
            str(figures.words),
            _percent(figures.wer),
            _range(figures.wer_interval),
            *map(str, (figures.substitutions, figures.deletions, figures.insertions)),
            _percent(figures.cer),
            _percent(figures.sentence_errors / utterances if utterances else None),
            *([f"{1 / figures.rtf:.0f}" if figures.rtf else "-"] if has_speed else []),
        )
    notes = []
    if any(figures.scored == "phones" for figures in sets):
        notes.append("* phones, not words")
    units = dict.fromkeys(figures.interval_over for figures in sets if figures.interval_over)
    if units:
        notes.append(f"Intervals: bootstrap over {' or '.join(units)}.")
    _print(table, title, console)
    for note in notes:
        console.print(note, style="dim", highlight=False)


def to_markdown(sets: Sequence[Figures], tuned_on: Mapping[str, str]) -> str:
    """The error rates of data sets as a table for a model's card.

    Args:
        sets: the figures, with the run.
        tuned_on: for each set the one that the language model's weights were tuned on.
    """
    rows = ["| set | decoder | WER % | 95 % interval | CER % |", "|---|---|---|---|---|"]
    for figures in sets:
        name, decoder = figures.name, figures.run.decoder if figures.run else ""
        if "LM" in decoder and name in tuned_on:
            decoder += f", tuned on {tuned_on[name]}"
        rates = _percent(figures.wer), _range(figures.wer_interval), _percent(figures.cer)
        rows.append(f"| {name} | {decoder} | {' | '.join(rates)} |")
    return "\n".join(rows) + "\n"


def print_details(name: str, details: Details, console: Console) -> None:
    """Prints the breakdown of the errors in the data set ``name``."""
    speakers, worst = details.speakers, details.speakers[:_WORST]
    if speakers:
        shown = "" if len(worst) == len(speakers) else f", the worst {_WORST} of {len(speakers)}"
        _print_groups(f"{name} by speaker{shown}", "speaker", worst, console)
    _print_groups(f"{name} by length of the reference", "words", details.lengths, console)
    if details.labels:
        _print_groups(f"{name} by label", "label", details.labels, console)
    if details.speaking_rates:
        title = f"{name} by speaking rate"
        _print_groups(title, "words/s", details.speaking_rates, console)
    _print_confusions(name, details.confusions, console)
    silence = details.silence
    if silence.utterances:
        console.print(
            f"Silence: {silence.insertions} words inserted in {silence.with_insertions} of "
            f"{silence.utterances} utterances with an empty reference.\n",
            highlight=False,
        )


def print_alignments(evaluation: Evaluation, console: Console) -> None:
    """Prints the alignment of every utterance, with the errors marked."""
    for utterance, alignment in zip(
        evaluation.references, evaluation.score.alignments, strict=True
    ):
        console.print(utterance.utterance_id, style="bold", markup=False, highlight=False)
        console.print(picture(alignment) + "\n", markup=False, highlight=False, soft_wrap=True)


def _print_groups(title: str, of: str, groups: Sequence[Group], console: Console) -> None:
    table = _table((of,))
    _add_number_columns(table, "utt.", "ref. words", *_ERRORS)
    for group in groups:
        errors = group.errors
        _add_row(
            table,
            group.name,
            str(group.utterances),
            str(errors.reference),
            _percent(finite(errors.rate)),
            _range(group.interval.rounded if group.interval else None),
            *map(str, (errors.substitutions, errors.deletions, errors.insertions)),
        )
    _print(table, title, console)


def _print_confusions(name: str, confusions: Confusions, console: Console) -> None:
    substituted = [(f"{a} > {b}", n) for a, b, n in confusions.substitutions[:_WORST]]
    columns = substituted, confusions.deletions[:_WORST], confusions.insertions[:_WORST]
    if not any(columns):
        return
    table = _table(())
    for kind in ("substituted", "deleted", "inserted"):
        _add_number_columns(table, "")
        table.add_column(kind, overflow="fold", min_width=_NAME)
    for row in zip_longest(*columns, fillvalue=("", "")):
        _add_row(table, *(str(cell) for words, count in row for cell in (count, words)))
    _print(table, f"{name}: the most frequent errors", console)


def _table(names: Sequence[str]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def _add_row(table: Table, *cells: str) -> None:
    table.add_row(*map(Text, cells))  # Text: brackets in a name or a word are no markup.


def _print(table: Table, title: str, console: Console) -> None:
    if title:
        console.print(title, style="italic", markup=False, highlight=False, soft_wrap=True)
    # A file or a pipe has no width to fit. In a narrow terminal columns stand closer and names are
    # broken over lines; numbers never are.
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
    """The width at which each row fits on one line."""
    return console.measure(table, options=console.options.update(width=_UNLIMITED)).maximum


def _add_number_columns(table: Table, *names: str) -> None:
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)


def _percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:.2f}"


def _range(ends: Sequence[float] | None) -> str:
    return f"{100 * ends[0]:.2f}-{100 * ends[1]:.2f}" if ends else "-"
