"""Breakdown of errors by speaker, length, speaking rate, word and confidence."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np

from asr.scoring.bootstrap import Interval, interval
from asr.scoring.error_rates import Alignment, Errors, finite, sum_errors

LENGTHS = (0, 1, 6, 11, 16, 21, 31, 41)  # words; lower ends of the groups
RATES = (0.0, 1.5, 2.0, 2.5, 3.0, 3.5)  # words a second; lower ends of the groups
CONFIDENCE_GROUPS = 10

Key = TypeVar("Key", str, int)


@dataclass(frozen=True)
class Group:
    """Utterances of one speaker, of similar length or of similar speaking rate."""

    name: str
    utterances: int
    errors: Errors  # in words
    interval: Interval | None  # of the word error rate

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "utterances": self.utterances,
            "words": self.errors.reference,
            "wer": finite(self.errors.rate),
            "wer_interval": self.interval.rounded if self.interval else None,
            "substitutions": self.errors.substitutions,
            "deletions": self.errors.deletions,
            "insertions": self.errors.insertions,
        }


@dataclass(frozen=True)
class Confusions:
    """Counts of each word error, the most frequent first, equal counts by alphabet."""

    substitutions: list[tuple[str, str, int]]  # reference, hypothesis, count
    deletions: list[tuple[str, int]]
    insertions: list[tuple[str, int]]

    def to_json(self) -> dict[str, Any]:
        return {
            "substitutions": [
                {"reference": reference, "hypothesis": hypothesis, "count": count}
                for reference, hypothesis, count in self.substitutions
            ],
            "deletions": [{"word": word, "count": count} for word, count in self.deletions],
            "insertions": [{"word": word, "count": count} for word, count in self.insertions],
        }


@dataclass(frozen=True)
class Silence:
    """Utterances with an empty reference."""

    utterances: int
    with_insertions: int
    insertions: int  # words


@dataclass(frozen=True)
class ConfidenceGroup:
    """Words of similar confidence."""

    words: int
    confidence: float  # mean, 0 to 1
    right: int  # words aligned with an equal word of the reference


def by_speaker(errors: Sequence[Errors], speakers: Sequence[str | None]) -> list[Group]:
    """Groups utterances by speaker, the worst first, without those of unknown speaker."""
    groups = _group(errors, speakers, speakers, lambda speaker: speaker)
    return sorted(groups, key=lambda group: (-group.errors.rate, group.name))


def by_length(errors: Sequence[Errors], speakers: Sequence[str | None]) -> list[Group]:
    """Groups utterances by the number of words in the reference (:data:`LENGTHS`)."""
    places = [bisect_right(LENGTHS, e.reference) - 1 for e in errors]
    names = [
        str(low) if high == low + 1 else f"{low}-{high - 1}" for low, high in pairwise(LENGTHS)
    ] + [f"{LENGTHS[-1]}+"]
    return _group(errors, speakers, places, lambda index: names[index])


def by_rate(
    errors: Sequence[Errors], speakers: Sequence[str | None], durations: Sequence[float | None]
) -> list[Group]:
    """Groups utterances by speaking rate (:data:`RATES`).

    Args:
        errors: of each utterance.
        speakers: of each utterance.
        durations: of each utterance in seconds. Utterances without one, and those with an empty
            reference, are in no group.
    """
    names = [f"{low:g}-{high:g}" for low, high in pairwise(RATES)]
    names = [f"< {RATES[1]:g}", *names[1:], f"> {RATES[-1]:g}"]
    places = [
        bisect_right(RATES, found.reference / seconds) - 1 if seconds and found.reference else None
        for found, seconds in zip(errors, durations, strict=True)
    ]
    return _group(errors, speakers, places, lambda index: names[index])


def by_label(
    errors: Sequence[Errors], speakers: Sequence[str | None], labels: Sequence[Sequence[str]]
) -> list[Group]:
    """Groups utterances by the labels of their STM segments; one may be in several groups."""
    pairs = [(index, label) for index, found in enumerate(labels) for label in found]
    indices = [index for index, _ in pairs]
    return _group(
        [errors[index] for index in indices],
        [speakers[index] for index in indices],
        [label for _, label in pairs],
        lambda label: label,
    )


def confusions(alignments: Sequence[Alignment], most: int | None = None) -> Confusions:
    """Counts substitutions, deletions and insertions of words.

    Args:
        alignments: of the utterances.
        most: the most frequent of each that are kept; by default all.
    """
    counts: dict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
    for alignment in alignments:
        for run in alignment.runs:
            reference = alignment.reference[run.reference]
            hypothesis = alignment.hypothesis[run.hypothesis]
            if run.kind == "substitute":
                counts[run.kind].update(zip(reference, hypothesis, strict=True))
            elif run.kind != "equal":
                counts[run.kind].update((word,) for word in reference or hypothesis)
    ordered = {
        kind: sorted(found.items(), key=lambda item: (-item[1], item[0]))[:most]
        for kind, found in counts.items()
    }
    return Confusions(
        [(first, second, n) for (first, second), n in ordered.get("substitute", [])],
        [(word, n) for (word,), n in ordered.get("delete", [])],
        [(word, n) for (word,), n in ordered.get("insert", [])],
    )


def silence(errors: Sequence[Errors]) -> Silence:
    """Counts insertions in utterances with an empty reference."""
    insertions = [e.insertions for e in errors if e.reference == 0]
    return Silence(len(insertions), sum(n > 0 for n in insertions), sum(insertions))


def by_confidence(confidences: Sequence[float], right: Sequence[bool]) -> list[ConfidenceGroup]:
    """Parts words into groups of equal size by confidence, the lowest first.

    Words of equal confidence stay together: a decoder that gives most words 1.0 has few groups.

    Args:
        confidences: of each word, 0 to 1.
        right: of each word, whether it is aligned with an equal word of the reference.
    """
    if not confidences:
        return []
    values = np.asarray(confidences, np.float64)
    order = np.argsort(values, kind="stable")
    values, truth = values[order], np.asarray(right, np.int64)[order]
    wanted = np.linspace(0, len(values), min(CONFIDENCE_GROUPS, len(values)) + 1).astype(int)[1:]
    ends = np.unique(np.searchsorted(values, values[wanted - 1], side="right"))
    return [
        ConfidenceGroup(
            end - start, round(float(values[start:end].mean()), 4), int(truth[start:end].sum())
        )
        for start, end in pairwise([0, *ends.tolist()])
    ]


def _group(
    errors: Sequence[Errors],
    speakers: Sequence[str | None],
    keys: Sequence[Key | None],
    name: Callable[[Key], str],
) -> list[Group]:
    """Groups utterances by key, in the order of the keys, without those of key None."""
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
