"""Progress bars on standard error, only where a person is looking."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

Item = TypeVar("Item")

console = Console(stderr=True)


def bar(*columns: TextColumn) -> Progress:
    """A progress bar with description, count, time left and further columns; gone when done."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        redirect_stdout=False,  # or results would go where the bar goes
        disable=not console.is_terminal,
    )


def track(items: Iterable[Item], description: str, total: int) -> Iterator[Item]:
    """Yields ``items`` and shows how many of ``total`` have come."""
    with bar() as progress:
        task = progress.add_task(description, total=total)
        for item in items:
            yield item
            progress.advance(task)
