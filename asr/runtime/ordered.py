"""Reordering of results that arrive out of order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def in_order(numbered: Iterable[tuple[int, Item]]) -> Iterator[Item]:
    """Yields items by number from 0, each as soon as its predecessors have arrived."""
    early: dict[int, Item] = {}
    due = 0
    for number, item in numbered:
        early[number] = item
        while due in early:
            yield early.pop(due)
            due += 1
