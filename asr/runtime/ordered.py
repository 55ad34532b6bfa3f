"""Results that come as they are ready, put back into their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def in_order(numbered: Iterable[tuple[int, Item]]) -> Iterator[Item]:
    """Yields items by their numbers, from 0 on, each as soon as those before it are there."""
    early: dict[int, Item] = {}
    due = 0
    for number, item in numbered:
        early[number] = item
        while due in early:
            yield early.pop(due)
            due += 1
