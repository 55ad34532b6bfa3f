"""Progress bars on standard error, shown on terminals only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

Item = TypeVar("Item")

console = Console(stderr=True)

_REPORTED = 20


def report_skipped(problems: Sequence[str]) -> None:
    """Prints the utterances that a training skips, the first twenty one by one."""
    for problem in problems[:_REPORTED]:
        console.print(f"left out: {problem}", style="yellow", markup=False)
    if len(problems) > _REPORTED:
        console.print(f"left out: {len(problems) - _REPORTED} more", style="yellow")


def bar(*columns: TextColumn) -> Progress:
    """A progress bar with description, count, time left and further columns; erased at the end."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        redirect_stdout=False,  # results belong on standard output
        disable=not console.is_terminal,
    )


def track(items: Iterable[Item], description: str, total: int) -> Iterator[Item]:
    """Yields ``items`` and shows how many of ``total`` were taken."""
    with bar() as progress:
        task = progress.add_task(description, total=total)
        for item in items:
            yield item
            progress.advance(task)


@contextmanager
def audio_bar(
    description: str, total: Callable[[], float], shown: bool = True
) -> Iterator[Callable[[float], object]]:
    """A bar of seconds of audio, with the real-time factor.

    Args:
        description: of the work, such as ``transcribing``.
        total: returns the seconds of audio; called on terminals only.
        shown: False for no bar.

    Yields:
        A function that advances the bar by seconds of audio.
    """
    if not (shown and console.is_terminal):
        yield lambda seconds: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), _RealTime())
    with Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True, redirect_stdout=False
    ) as progress:
        task = progress.add_task(description, total=total())
        yield lambda seconds: progress.advance(task, seconds)


class _RealTime(ProgressColumn):
    """Seconds of work for each second of audio, since the start."""

    def render(self, task: Task) -> Text:
        factor = (task.elapsed or 0.0) / task.completed if task.completed else None
        return Text("" if factor is None else f"RTF {factor:.4f}")
