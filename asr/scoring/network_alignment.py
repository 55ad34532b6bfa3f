"""Alignment of texts with alternations as sclite does it: two networks of words.

A substitution costs 4, an insertion or a deletion 3, leaving an optional word out 2, an empty
alternative 0.001. The path through both networks with the least cost is found by dynamic
programming over pairs of arcs. Of equal costs a substitution comes first, then an insertion; within
nested alternations sclite may choose another path of the same cost.

Source: SCTK, src/sclite/net_dp.c and word.c.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from asr.errors import AsrError
from asr.runtime.jit import compiled
from asr.scoring.alternation import Matching, Network, Token, parse
from asr.scoring.error_rates import (
    Alignment,
    Errors,
    Run,
    Score,
    character_errors,
    sum_errors,
)
from asr.scoring.realign import Kind

_SUBSTITUTION, _EDIT, _OPTIONAL, _NULL, _TWO_NULLS = 4000, 3000, 2000, 1, 1000  # costs
_CELLS = 1 << 26  # of the table of one utterance

Ints = NDArray[np.int32]


def score_marked(
    references: Sequence[str], hypotheses: Sequence[str], names: Sequence[str], matching: Matching
) -> Score:
    """Scores hypotheses against references, both perhaps with alternations.

    The words counted are those on the best path. A word that was rightly left out is correct.

    Args:
        references: texts.
        hypotheses: at the same positions.
        names: of the utterances, for errors.
        matching: how words match.

    Raises:
        AsrError: the braces of a text do not match, or an utterance is too long to align.
    """
    alignments = []
    for reference, hypothesis, name in zip(references, hypotheses, names, strict=True):
        first = parse(reference, matching, f"the reference of {name}")
        second = parse(hypothesis, matching, f"the hypothesis of {name}")
        alignments.append(align_networks(first, second, name))
    each = tuple(alignment.errors for alignment in alignments)
    characters = sum_errors(map(_character_errors, alignments))
    return Score(sum_errors(each), characters, tuple(alignments), each)


def align_networks(reference: Network, hypothesis: Network, name: str) -> Alignment:
    """The best path through two networks.

    A word of one side that is correct without the other's has an empty one beside it.
    """
    rows, columns = len(reference.tokens) + 1, len(hypothesis.tokens) + 1
    if rows * columns > _CELLS:
        raise AsrError(
            f"{name} has {rows - 1} words against {columns - 1}, too many to align with "
            "alternations; cut it into shorter segments"
        )
    deletions = np.array([0, *map(_omission, reference.tokens)], np.int32)
    insertions = np.array([0, *map(_omission, hypothesis.tokens)], np.int32)
    substitutions = _substitution_costs(reference.tokens, hypothesis.tokens)
    costs, back_rows, back_columns = _fill(
        substitutions,
        deletions,
        insertions,
        *_predecessors(reference),
        *_predecessors(hypothesis),
    )
    ends = [(i + 1, j + 1) for i in reference.last for j in hypothesis.last]
    i, j = min(ends, key=lambda cell: costs[cell])
    edits: list[tuple[Kind, str, str]] = []
    while i or j:
        previous = int(back_rows[i, j]), int(back_columns[i, j])
        if previous[0] == i:
            token = hypothesis.tokens[j - 1]
            if not token.is_null:
                edits.append(("equal" if token.optional else "insert", "", token.text))
        elif previous[1] == j:
            token = reference.tokens[i - 1]
            if not token.is_null:
                edits.append(("equal" if token.optional else "delete", token.text, ""))
        else:
            first, second = reference.tokens[i - 1], hypothesis.tokens[j - 1]
            if not (first.is_null and second.is_null):
                kind: Kind = "substitute" if substitutions[i - 1, j - 1] else "equal"
                edits.append((kind, first.text, second.text))
        i, j = previous
    return _alignment(edits[::-1])


def _alignment(edits: Sequence[tuple[Kind, str, str]]) -> Alignment:
    runs = []
    i = j = 0
    for kind, group in groupby(edits, key=lambda edit: edit[0]):
        count = len(list(group))
        reference = slice(i, i + (0 if kind == "insert" else count))
        hypothesis = slice(j, j + (0 if kind == "delete" else count))
        runs.append(Run(kind, reference, hypothesis))
        i, j = reference.stop, hypothesis.stop
    references = [reference for kind, reference, _ in edits if kind != "insert"]
    hypotheses = [hypothesis for kind, _, hypothesis in edits if kind != "delete"]
    return Alignment(references, hypotheses, tuple(runs))


def _character_errors(alignment: Alignment) -> Errors:
    """Errors in characters on the best path, without words that were rightly left out."""
    pairs = [
        (edit.reference, edit.hypothesis)
        for edit in alignment.edits()
        if edit.kind != "equal" or (edit.reference and edit.hypothesis)
    ]
    references, hypotheses = zip(*pairs, strict=True) if pairs else ((), ())
    return character_errors(" ".join(filter(None, references)), " ".join(filter(None, hypotheses)))


def _omission(token: Token) -> int:
    if token.is_null:
        return _NULL
    return _OPTIONAL if token.optional else _EDIT


def _substitution_costs(references: Sequence[Token], hypotheses: Sequence[Token]) -> Ints:
    """The cost of each pair, shape (reference arcs, hypothesis arcs)."""
    numbers: dict[str, int] = {}
    first, second = (
        np.array([numbers.setdefault(t.value, len(numbers)) for t in tokens], np.int64)
        for tokens in (references, hypotheses)
    )
    costs = np.where(first[:, None] == second, 0, _SUBSTITUTION).astype(np.int32)
    for i, reference in enumerate(references):
        for j, hypothesis in enumerate(hypotheses):
            if reference.is_null and hypothesis.is_null:
                costs[i, j] = _TWO_NULLS
            elif reference.fragment or hypothesis.fragment:
                costs[i, j] = 0 if _fragments_match(reference, hypothesis) else _SUBSTITUTION
    return costs


def _fragments_match(first: Token, second: Token) -> bool:
    for fragment, word in ((first.value, second.value), (second.value, first.value)):
        if len(fragment) > 1 and fragment[0] == "-":
            return word.endswith(fragment[1:])
        if len(fragment) > 1 and fragment[-1] == "-":
            return word.startswith(fragment[:-1])
    return first.value == second.value


def _predecessors(network: Network) -> tuple[Ints, Ints]:
    """Arcs before each arc, counted from 1 behind the start: bounds and indices."""
    indices = [0]
    bounds = [0, 1]
    for previous in network.previous:
        indices += [arc + 1 for arc in previous]
        bounds.append(len(indices))
    return np.array(bounds, np.int32), np.array(indices, np.int32)


@compiled
def _fill(
    substitutions: Ints,
    deletions: Ints,
    insertions: Ints,
    row_bounds: Ints,
    row_before: Ints,
    column_bounds: Ints,
    column_before: Ints,
) -> tuple[Ints, Ints, Ints]:
    """The least cost of each pair of arcs, and the pair before it."""
    rows, columns = len(deletions), len(insertions)
    costs = np.zeros((rows, columns), np.int32)
    back_rows = np.zeros((rows, columns), np.int32)
    back_columns = np.zeros((rows, columns), np.int32)
    unreached = 2**31 - 1
    for i in range(rows):
        for j in range(columns):
            if i == 0 and j == 0:
                continue
            insertion = deletion = substitution = unreached
            insert_from = delete_from = 0
            substitute_row = substitute_column = 0
            if j > 0:
                for b in range(column_bounds[j], column_bounds[j + 1]):
                    if costs[i, column_before[b]] + insertions[j] < insertion:
                        insertion = costs[i, column_before[b]] + insertions[j]
                        insert_from = column_before[b]
            if i > 0:
                for a in range(row_bounds[i], row_bounds[i + 1]):
                    if costs[row_before[a], j] + deletions[i] < deletion:
                        deletion = costs[row_before[a], j] + deletions[i]
                        delete_from = row_before[a]
            if i > 0 and j > 0:
                for a in range(row_bounds[i], row_bounds[i + 1]):
                    for b in range(column_bounds[j], column_bounds[j + 1]):
                        cost = costs[row_before[a], column_before[b]] + substitutions[i - 1, j - 1]
                        if cost < substitution:
                            substitution = cost
                            substitute_row = row_before[a]
                            substitute_column = column_before[b]
            if i > 0 and j > 0 and substitution <= deletion and substitution <= insertion:
                costs[i, j] = substitution
                back_rows[i, j], back_columns[i, j] = substitute_row, substitute_column
            elif deletion < insertion:
                costs[i, j] = deletion
                back_rows[i, j], back_columns[i, j] = delete_from, j
            else:
                costs[i, j] = insertion
                back_rows[i, j], back_columns[i, j] = i, insert_from
    return costs, back_rows, back_columns
