"""Where the errors are: by speaker, by length, by speaking rate, by word, by confidence."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np

from asr.scoring.bootstrap import Interval, interval
from asr.scoring.error_rates import Alignment, Errors, sum_errors

LENGTHS = (0, 1, 6, 11, 16, 21, 31, 41)  # words; each begins a group of utterances
RATES = (0.0, 1.5, 2.0, 2.5, 3.0, 3.5)  # words a second
CONFIDENCE_GROUPS = 10

Key = TypeVar("Key", str, int)


@dataclass(frozen=True)
class Group:
    """Utterances that have something in common."""

    name: str
    utterances: int
    errors: Errors  # in words
    interval: Interval | None


@dataclass(frozen=True)
class Confusions:
    """Which words are mistaken, each list with the most frequent first, then by alphabet."""

    substitutions: list[tuple[str, str, int]]  # said, heard, how often
    deletions: list[tuple[str, int]]
    insertions: list[tuple[str, int]]


@dataclass(frozen=True)
class Silence:
    """Utterances in which nothing was said."""

    utterances: int
    with_insertions: int
    insertions: int  # words


@dataclass(frozen=True)
class ConfidenceGroup:
    """Words of like confidence."""

    words: int
    confidence: float  # mean, 0 to 1
    right: int  # words that the reference has in their place


def by_speaker(errors: Sequence[Errors], speakers: Sequence[str | None]) -> list[Group]:
    """A group for each speaker, the worst first; none for utterances whose speaker is not known."""
    groups = _group(errors, speakers, speakers, lambda speaker: speaker)
    return sorted(groups, key=lambda group: (-group.errors.rate, group.name))


def by_length(errors: Sequence[Errors], speakers: Sequence[str | None]) -> list[Group]:
    """Groups of utterances by how many words their references have (:data:`LENGTHS`)."""
    places = [bisect_right(LENGTHS, e.reference) - 1 for e in errors]
    names = [
        str(low) if high == low + 1 else f"{low}-{high - 1}" for low, high in pairwise(LENGTHS)
    ] + [f"{LENGTHS[-1]}+"]
    return _group(errors, speakers, places, lambda index: names[index])


def by_rate(
    errors: Sequence[Errors], speakers: Sequence[str | None], durations: Sequence[float | None]
) -> list[Group]:
    """Groups of utterances by how fast they were spoken (:data:`RATES`).

    Args:
        errors: of each utterance.
        speakers: of each utterance.
        durations: of each utterance in seconds; what has none is in no group, nor is silence.
    """
    names = [f"{low:g}-{high:g}" for low, high in pairwise(RATES)]
    names = [f"< {RATES[1]:g}", *names[1:], f"> {RATES[-1]:g}"]
    places = [
        bisect_right(RATES, found.reference / seconds) - 1 if seconds and found.reference else None
        for found, seconds in zip(errors, durations, strict=True)
    ]
    return _group(errors, speakers, places, lambda index: names[index])


def confusions(alignments: Sequence[Alignment], most: int | None = None) -> Confusions:
    """The most frequent substitutions, deletions and insertions.

    Args:
        alignments: of the utterances.
        most: how many of each; by default all of them.
    """
    counts: dict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
    for alignment in alignments:
        for run in alignment.runs:
            said = alignment.reference[run.reference]
            heard = alignment.hypothesis[run.hypothesis]
            if run.kind == "substitute":
                counts[run.kind].update(zip(said, heard, strict=True))
            elif run.kind != "equal":
                counts[run.kind].update((word,) for word in said or heard)
    ordered = {
        kind: sorted(found.items(), key=lambda item: (-item[1], item[0]))[:most]
        for kind, found in counts.items()
    }
    return Confusions(
        [(said, heard, n) for (said, heard), n in ordered.get("substitute", [])],
        [(word, n) for (word,), n in ordered.get("delete", [])],
        [(word, n) for (word,), n in ordered.get("insert", [])],
    )


def silence(errors: Sequence[Errors]) -> Silence:
    """What was heard where nothing was said."""
    heard = [e.insertions for e in errors if e.reference == 0]
    return Silence(len(heard), sum(n > 0 for n in heard), sum(heard))


def by_confidence(confidences: Sequence[float], right: Sequence[bool]) -> list[ConfidenceGroup]:
    """Groups of equally many words by confidence, the least sure first.

    Words of equal confidence stay together, so a decoder that says 1.0 of most words gives few
    groups.

    Args:
        confidences: of each word, 0 to 1.
        right: whether the reference has the word in its place.
    """
    if not confidences:
        return []
    said = np.asarray(confidences, np.float64)
    order = np.argsort(said, kind="stable")
    said, truth = said[order], np.asarray(right, np.int64)[order]
    wanted = np.linspace(0, len(said), min(CONFIDENCE_GROUPS, len(said)) + 1).astype(int)[1:]
    ends = np.unique(np.searchsorted(said, said[wanted - 1], side="right"))
    return [
        ConfidenceGroup(
            end - start, round(float(said[start:end].mean()), 4), int(truth[start:end].sum())
        )
        for start, end in pairwise([0, *ends.tolist()])
    ]


def _group(
    errors: Sequence[Errors],
    speakers: Sequence[str | None],
    keys: Sequence[Key | None],
    name: Callable[[Key], str],
) -> list[Group]:
    """Groups by key, in the order of the keys; what has the key None is left out."""
    members: dict[Key, list[int]] = defaultdict(list)
    for index, key in enumerate(keys):
        if key is not None:
            members[key].append(index)
    groups = []
    for key in sorted(members):
        found = [errors[index] for index in members[key]]
        spread = interval(found, [speakers[index] for index in members[key]])
        groups.append(Group(name(key), len(found), sum_errors(found), spread))
    return groups
