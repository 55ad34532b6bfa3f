"""Ctrl-C in long work: it ends at the next place from which it can go on."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from asr.errors import AsrError


class Interrupted(AsrError):
    """The user stopped the run; its state is saved."""

    exit_status = 130  # what shells expect after Ctrl-C


@contextmanager
def stop_signal() -> Iterator[Callable[[], bool]]:
    """Inside, the first Ctrl-C (or SIGTERM) makes what is yielded true; a second one kills."""
    asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
