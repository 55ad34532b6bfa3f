"""Messages of the commands on standard error."""

from __future__ import annotations

from asr.runtime.progress import console


def complain(message: object) -> None:
    """Prints one line on standard error, without breaking a progress bar."""
    console.print(f"asr: {message}", markup=False, highlight=False, soft_wrap=True)
