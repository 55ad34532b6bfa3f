"""Word and character error rates.

The rates are those of the corpus: all errors over all reference words (or characters), never the
mean over utterances. Texts are compared as they are; bring both into one form first
(:func:`asr.text.normalise`). Words are aligned by jiwer with as few edits as possible, and then so
that as many as possible are right (:mod:`asr.scoring.realign`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import cast

import jiwer
from rapidfuzz.distance import Levenshtein

from asr.scoring.realign import KINDS, Kind, Kinds, fits, most_right

_AS_THEY_ARE = jiwer.Compose([])  # words, already split


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

        With nothing in the references it is 0 where nothing was said either, else infinite.
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
    """A word of the reference, of the hypothesis, or of both, and how one becomes the other."""

    kind: Kind
    reference: str | None  # None of an insertion
    hypothesis: str | None  # None of a deletion


@dataclass(frozen=True, slots=True)
class Run:
    """Words that stand one behind the other and were edited alike."""

    kind: Kind
    reference: slice  # of the reference's words, empty of insertions
    hypothesis: slice  # of the hypothesis' words, empty of deletions

    @property
    def length(self) -> int:
        span: slice = self.hypothesis if self.kind == "insert" else self.reference
        return int(span.stop - span.start)


@dataclass(frozen=True, slots=True)
class Alignment:
    """One utterance: its reference against its hypothesis, word by word."""

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
        """For each word of the hypothesis, whether it is a word of the reference in its place."""
        right = [False] * len(self.hypothesis)
        for run in self.runs:
            if run.kind == "equal":
                right[run.hypothesis] = [True] * (run.hypothesis.stop - run.hypothesis.start)
        return right

    def edits(self) -> Iterator[Edit]:
        """Every word in its place."""
        for run in self.runs:
            if run.kind == "insert":
                yield from (Edit("insert", None, word) for word in self.hypothesis[run.hypothesis])
            elif run.kind == "delete":
                yield from (Edit("delete", word, None) for word in self.reference[run.reference])
            else:
                pairs = zip(
                    self.reference[run.reference], self.hypothesis[run.hypothesis], strict=True
                )
                yield from (Edit(run.kind, said, heard) for said, heard in pairs)


@dataclass(frozen=True)
class Score:
    """How well hypotheses match references."""

    words: Errors
    characters: Errors
    alignments: tuple[Alignment, ...]  # of each utterance
    utterance_errors: tuple[Errors, ...]  # in words, of each utterance

    @property
    def utterances(self) -> int:
        return len(self.alignments)

    @property
    def wrong_utterances(self) -> int:
        """How many have at least one word error."""
        return sum(errors.total > 0 for errors in self.utterance_errors)

    @property
    def wer(self) -> float:
        return self.words.rate

    @property
    def cer(self) -> float:
        return self.characters.rate


def score(references: Sequence[str], hypotheses: Sequence[str]) -> Score:
    """Scores hypotheses against the references at the same positions.

    An empty hypothesis counts all its reference's words as deleted, an empty reference all its
    hypothesis' words as inserted.

    Raises:
        ValueError: there are not as many hypotheses as references.
    """
    alignments = align(references, hypotheses)
    each = tuple(alignment.errors for alignment in alignments)
    pairs = zip(references, hypotheses, strict=True)
    characters = sum_errors(_character_errors(said.strip(), heard.strip()) for said, heard in pairs)
    return Score(sum_errors(each), characters, tuple(alignments), each)


def align(references: Sequence[str], hypotheses: Sequence[str]) -> list[Alignment]:
    """Aligns the words of each hypothesis with those of the reference at the same position.

    Raises:
        ValueError: there are not as many hypotheses as references.
    """
    pairs = [
        (said.split(), heard.split()) for said, heard in zip(references, hypotheses, strict=True)
    ]
    # jiwer takes no empty reference; there all words of the hypothesis are insertions.
    spoken = [pair for pair in pairs if pair[0]]
    chunks: Iterator[list[jiwer.AlignmentChunk]] = iter(())
    if spoken:
        said, heard = map(list, zip(*spoken, strict=True))
        chunks = iter(jiwer.process_words(said, heard, _AS_THEY_ARE, _AS_THEY_ARE).alignments)
    found = [
        Alignment(said, heard, _runs(next(chunks)) if said else _insertions(heard))
        for said, heard in pairs
    ]
    # A better split of the errors has a deletion and an insertion for two substitutions.
    doubtful = [
        index
        for index, (said, heard) in enumerate(pairs)
        if _substitutions(found[index]) > 1 and fits(said, heard)
    ]
    for index, kinds in zip(doubtful, most_right([pairs[i] for i in doubtful]), strict=True):
        found[index] = replace(found[index], runs=_runs_of(kinds))
    return found


def sum_errors(errors: Iterable[Errors]) -> Errors:
    """The errors of several utterances together."""
    reference = substitutions = deletions = insertions = 0
    for found in errors:
        reference += found.reference
        substitutions += found.substitutions
        deletions += found.deletions
        insertions += found.insertions
    return Errors(reference, substitutions, deletions, insertions)


def right_words(reference: str, hypothesis: Sequence[str]) -> list[bool]:
    """For each word of the hypothesis, whether it is a word of the reference in its place."""
    (alignment,) = align([reference], [" ".join(hypothesis)])
    return alignment.right


def picture(alignment: Alignment) -> str:
    """Three lines: REF, HYP, and S, D and I under the words that differ."""
    columns = []
    for edit in alignment.edits():
        said, heard = edit.reference, edit.hypothesis
        mark = "" if edit.kind == "equal" else edit.kind[0].upper()
        width = max(len(said or ""), len(heard or ""))
        columns.append(
            [
                (said or "*" * width).rjust(width),
                (heard or "*" * width).rjust(width),
                mark.rjust(width),
            ]
        )
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
        said = slice(i, i + (0 if kind == "insert" else count))
        heard = slice(j, j + (0 if kind == "delete" else count))
        runs.append(Run(kind, said, heard))
        i, j = said.stop, heard.stop
    return tuple(runs)


def _insertions(words: Sequence[str]) -> tuple[Run, ...]:
    return (Run("insert", slice(0, 0), slice(0, len(words))),) if words else ()


def _character_errors(reference: str, hypothesis: str) -> Errors:
    counts = {"replace": 0, "delete": 0, "insert": 0}
    for kind, _, _ in Levenshtein.editops(reference, hypothesis).as_list():
        counts[str(kind)] += 1
    return Errors(len(reference), counts["replace"], counts["delete"], counts["insert"])
