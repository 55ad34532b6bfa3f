"""Messages of the commands on standard error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from asr.runtime.progress import console
from asr.text import record_rules


def note(message: object) -> None:
    """Prints a line on standard error that is no failure."""
    console.print(f"note: {message}", markup=False, highlight=False, soft_wrap=True)


def complain(message: object) -> None:
    """Prints one line on standard error, without breaking a progress bar."""
    console.print(f"asr: {message}", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def rules_reported() -> Iterator[None]:
    """Prints one line on the rules of the normal form that texts needed within the block."""
    with record_rules() as report:
        yield
    if summary := str(report):
        message = f"normal form of text: {summary}"
        console.print(message, markup=False, highlight=False, soft_wrap=True)
