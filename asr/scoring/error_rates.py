"""Word and character error rates.

Rates are those of the corpus: all errors over all reference words (or characters), not the mean
over utterances. Texts are compared as they are; normalise both first (:func:`asr.text.normalise`).
jiwer aligns words with the fewest edits; of such alignments :mod:`asr.scoring.realign` finds one
with the most correct words.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import cast

import jiwer
from rapidfuzz.distance import Levenshtein

from asr.scoring.realign import KINDS, Kind, Kinds, fits, most_right

_NO_TRANSFORM = jiwer.Compose([])  # the texts are lists of words already


@dataclass(frozen=True)
class Errors:
    """Edit operations between references and hypotheses."""

    reference: int  # words or characters in the references
    substitutions: int
    deletions: int
    insertions: int

    @property
    def total(self) -> int:
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors over reference length, a fraction.

        With empty references it is 0 if the hypotheses are empty too, else infinite.
        """
        if self.reference == 0:
            return float("inf") if self.total else 0.0
        return self.total / self.reference

    def __add__(self, other: Errors) -> Errors:
        return Errors(
            self.reference + other.reference,
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
        )


@dataclass(frozen=True, slots=True)
class Edit:
    """An edit of one word: equal, substituted, deleted or inserted."""

    kind: Kind
    reference: str | None  # None of an insertion
    hypothesis: str | None  # None of a deletion


@dataclass(frozen=True, slots=True)
class Run:
    """Adjacent words with edits of one kind."""

    kind: Kind
    reference: slice  # of the reference's words; empty for insertions
    hypothesis: slice  # of the hypothesis' words; empty for deletions

    @property
    def length(self) -> int:
        span: slice = self.hypothesis if self.kind == "insert" else self.reference
        return int(span.stop - span.start)


@dataclass(frozen=True, slots=True)
class Alignment:
    """The words of a reference aligned with those of its hypothesis."""

    reference: list[str]
    hypothesis: list[str]
    runs: tuple[Run, ...]

    @property
    def errors(self) -> Errors:
        counts = {"equal": 0, "substitute": 0, "delete": 0, "insert": 0}
        for run in self.runs:
            counts[run.kind] += run.length
        return Errors(len(self.reference), counts["substitute"], counts["delete"], counts["insert"])

    @property
    def right(self) -> list[bool]:
        """For each word of the hypothesis, whether it is aligned with an equal word."""
        right = [False] * len(self.hypothesis)
        for run in self.runs:
            if run.kind == "equal":
                right[run.hypothesis] = [True] * (run.hypothesis.stop - run.hypothesis.start)
        return right

    def edits(self) -> Iterator[Edit]:
        """The edits of all words, in order."""
        for run in self.runs:
            if run.kind == "insert":
                yield from (Edit("insert", None, word) for word in self.hypothesis[run.hypothesis])
            elif run.kind == "delete":
                yield from (Edit("delete", word, None) for word in self.reference[run.reference])
            else:
                pairs = zip(
                    self.reference[run.reference], self.hypothesis[run.hypothesis], strict=True
                )
                yield from (
                    Edit(run.kind, reference, hypothesis) for reference, hypothesis in pairs
                )


@dataclass(frozen=True)
class Score:
    """Word and character errors of hypotheses against references."""

    words: Errors
    characters: Errors
    alignments: tuple[Alignment, ...]  # of each utterance
    utterance_errors: tuple[Errors, ...]  # in words, of each utterance

    @property
    def utterances(self) -> int:
        return len(self.alignments)

    @property
    def wrong_utterances(self) -> int:
        """Number of utterances with at least one word error."""
        return sum(errors.total > 0 for errors in self.utterance_errors)

    @property
    def wer(self) -> float:
        return self.words.rate

    @property
    def cer(self) -> float:
        return self.characters.rate


def score(references: Sequence[str], hypotheses: Sequence[str]) -> Score:
    """Scores hypotheses against the references at the same positions.

    All words are deletions where the hypothesis is empty, insertions where the reference is.

    Raises:
        ValueError: the numbers of references and hypotheses differ.
    """
    alignments = align(references, hypotheses)
    each = tuple(alignment.errors for alignment in alignments)
    pairs = zip(references, hypotheses, strict=True)
    characters = sum_errors(character_errors(ref.strip(), hyp.strip()) for ref, hyp in pairs)
    return Score(sum_errors(each), characters, tuple(alignments), each)


def align(references: Sequence[str], hypotheses: Sequence[str]) -> list[Alignment]:
    """Aligns the words of each hypothesis with those of the reference at the same position.

    Raises:
        ValueError: the numbers of references and hypotheses differ.
    """
    pairs = [
        (reference.split(), hypothesis.split())
        for reference, hypothesis in zip(references, hypotheses, strict=True)
    ]
    # jiwer refuses empty references.
    with_words = [pair for pair in pairs if pair[0]]
    chunks: Iterator[list[jiwer.AlignmentChunk]] = iter(())
    if with_words:
        reference_words, hypothesis_words = map(list, zip(*with_words, strict=True))
        found = jiwer.process_words(reference_words, hypothesis_words, _NO_TRANSFORM, _NO_TRANSFORM)
        chunks = iter(found.alignments)
    alignments = [
        Alignment(
            reference, hypothesis, _runs(next(chunks)) if reference else _insertions(hypothesis)
        )
        for reference, hypothesis in pairs
    ]
    # A deletion and an insertion may replace two substitutions and leave more words correct.
    ambiguous = [
        index
        for index, pair in enumerate(pairs)
        if _substitutions(alignments[index]) > 1 and fits(*pair)
    ]
    for index, kinds in zip(ambiguous, most_right([pairs[i] for i in ambiguous]), strict=True):
        alignments[index] = replace(alignments[index], runs=_runs_of(kinds))
    return alignments


def sum_errors(errors: Iterable[Errors]) -> Errors:
    """Sums errors."""
    reference = substitutions = deletions = insertions = 0
    for found in errors:
        reference += found.reference
        substitutions += found.substitutions
        deletions += found.deletions
        insertions += found.insertions
    return Errors(reference, substitutions, deletions, insertions)


def right_words(reference: str, hypothesis: Sequence[str]) -> list[bool]:
    """For each word of the hypothesis, whether it is aligned with an equal word."""
    (alignment,) = align([reference], [" ".join(hypothesis)])
    return alignment.right


def picture(alignment: Alignment) -> str:
    """The alignment in three lines: REF, HYP, and S, D or I under each error."""
    columns = []
    for edit in alignment.edits():
        reference, hypothesis = edit.reference, edit.hypothesis
        mark = "" if edit.kind == "equal" else edit.kind[0].upper()
        width = max(len(reference or ""), len(hypothesis or ""))
        cells = reference or "*" * width, hypothesis or "*" * width, mark
        columns.append([cell.rjust(width) for cell in cells])
    rows = zip(*columns, strict=True) if columns else [(), (), ()]
    labels = ("REF: ", "HYP: ", "     ")
    lines = [(label + " ".join(row)).rstrip() for label, row in zip(labels, rows, strict=True)]
    return "\n".join(lines).rstrip()


def _runs(chunks: Sequence[jiwer.AlignmentChunk]) -> tuple[Run, ...]:
    return tuple(
        Run(
            cast(Kind, chunk.type),
            slice(chunk.ref_start_idx, chunk.ref_end_idx),
            slice(chunk.hyp_start_idx, chunk.hyp_end_idx),
        )
        for chunk in chunks
    )


def _substitutions(alignment: Alignment) -> int:
    return sum(run.length for run in alignment.runs if run.kind == "substitute")


def _runs_of(kinds: Kinds) -> tuple[Run, ...]:
    runs = []
    i = j = 0
    for index, group in groupby(kinds.tolist()):
        kind, count = KINDS[index], len(list(group))
        reference = slice(i, i + (0 if kind == "insert" else count))
        hypothesis = slice(j, j + (0 if kind == "delete" else count))
        runs.append(Run(kind, reference, hypothesis))
        i, j = reference.stop, hypothesis.stop
    return tuple(runs)


def _insertions(words: Sequence[str]) -> tuple[Run, ...]:
    return (Run("insert", slice(0, 0), slice(0, len(words))),) if words else ()


def character_errors(reference: str, hypothesis: str) -> Errors:
    """Counts the edits between the characters of two texts."""
    counts = {"replace": 0, "delete": 0, "insert": 0}
    for kind, _, _ in Levenshtein.editops(reference, hypothesis).as_list():
        counts[str(kind)] += 1
    return Errors(len(reference), counts["replace"], counts["delete"], counts["insert"])


def finite(value: float) -> float | None:
    """A rate as JSON can hold it: None where it is infinite or undefined."""
    return value if math.isfinite(value) else None
