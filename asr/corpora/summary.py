"""Writing a data set: its manifest, and the list of items that were left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from rich.console import Console

from asr.corpora.manifest import Utterance, write_manifest
from asr.errors import AsrError
from asr.runtime.files import write_text

_SHOWN = 20  # problems of one reason on the screen; the file has them all


class Reason(StrEnum):
    """Why an item is not in a manifest."""

    NO_TRANSCRIPT = "audio without transcript"
    NO_AUDIO = "transcript without audio"
    BAD_AUDIO = "unreadable or empty audio"
    BAD_TRANSCRIPT = "unreadable transcript"
    BAD_ROW = "row that does not fit the table"
    EMPTY = "empty transcript"
    FOREIGN = "characters that the normal form of text lacks"
    DUPLICATE = "duplicate"


@dataclass(frozen=True)
class Problem:
    """An item that is not in the manifest."""

    item: str  # a file, a row or an utterance
    reason: Reason
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.item}: {self.reason}" + (f" ({self.detail})" if self.detail else "")


@dataclass(frozen=True)
class Summary:
    """A manifest that was written, and the items that are not in it."""

    name: str
    manifest: Path
    utterances: int
    hours: float
    problems: tuple[Problem, ...]
    skipped: Path | None  # the file that lists all problems, where there are any
    notes: tuple[str, ...]  # about the data set as a whole


def make_folder(folder: Path) -> None:
    """Makes a folder for output.

    Raises:
        AsrError: the folder can't be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AsrError(f"the folder {folder} can't be made: {error.strerror}") from error


def write_data_set(
    name: str,
    utterances: Sequence[Utterance],
    problems: Sequence[Problem],
    output: Path,
    notes: Sequence[str] = (),
) -> Summary:
    """Writes ``NAME.jsonl`` and, if there are problems, ``NAME.skipped.tsv`` into ``output``.

    Raises:
        AsrError: there is no utterance (the problems are written nevertheless), or the folder
            can't be written to.
    """
    manifest = output / f"{name}.jsonl"
    skipped = output / f"{name}.skipped.tsv"
    try:
        if problems:
            rows = [("item", "reason", "detail"), *((p.item, p.reason, p.detail) for p in problems)]
            lines = ("\t".join(" ".join(field.split()) for field in row) for row in rows)
            write_text(skipped, "\n".join(lines) + "\n")
        else:
            skipped.unlink(missing_ok=True)  # An earlier run may have left it.
        if utterances:
            write_manifest(manifest, utterances)
    except OSError as error:
        raise AsrError(f"{output} can't be written to: {error.strerror}") from error
    if not utterances and problems:
        raise AsrError(
            f"nothing of {name} can be used; the first of its {len(problems)} problems is "
            f"{problems[0]}, and {skipped} lists them all"
        )
    if not utterances:
        raise AsrError(f"nothing of {name} can be used: it is empty")
    return Summary(
        name=name,
        manifest=manifest,
        utterances=len(utterances),
        hours=sum(utterance.duration for utterance in utterances) / 3600,
        problems=tuple(problems),
        skipped=skipped if problems else None,
        notes=tuple(notes),
    )


def print_summary(summary: Summary, console: Console) -> None:
    """Prints the size of a manifest and the items that it lacks, by reason."""

    def line(text: str, style: str = "") -> None:
        console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    line(
        f"{summary.name}: {summary.utterances} utterances, {summary.hours:.2f} hours "
        f"in {summary.manifest}"
    )
    for note in summary.notes:
        line(f"  {note}", "yellow")
    for reason in Reason:
        problems = [problem for problem in summary.problems if problem.reason == reason]
        if problems:
            line(f"  left out, {reason}: {len(problems)}", "yellow")
        for problem in problems[:_SHOWN]:
            line(f"    {problem.item}" + (f": {problem.detail}" if problem.detail else ""))
        if len(problems) > _SHOWN:
            line(f"    and {len(problems) - _SHOWN} more")
    if summary.skipped:
        line(f"  all that was left out is listed in {summary.skipped}")
