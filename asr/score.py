"""Word and character error rates.

The rates are those of the corpus: all errors over all reference words (or characters), never the
mean over utterances. Texts are compared as they are; bring both into one form first
(:func:`asr.text.normalise`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jiwer


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


@dataclass(frozen=True)
class Score:
    """How well hypotheses match references."""

    utterances: int
    words: Errors
    characters: Errors
    wrong_utterances: int  # with at least one word error

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
    pairs = list(zip(references, hypotheses, strict=True))
    spoken = [(ref, hyp) for ref, hyp in pairs if ref.split()]
    silent = [hyp for ref, hyp in pairs if not ref.split()]
    words = Errors(0, 0, 0, sum(len(hyp.split()) for hyp in silent))
    characters = Errors(0, 0, 0, sum(len(hyp) for hyp in silent))
    wrong = sum(ref.split() != hyp.split() for ref, hyp in pairs)
    if spoken:
        refs, hyps = (list(texts) for texts in zip(*spoken, strict=True))
        words += _errors(jiwer.process_words(refs, hyps))
        characters += _errors(jiwer.process_characters(refs, hyps))
    return Score(len(pairs), words, characters, wrong)


def right_words(reference: str, hypothesis: Sequence[str]) -> list[bool]:
    """For each word of the hypothesis, whether it is a word of the reference in its place."""
    right = [False] * len(hypothesis)
    if hypothesis and reference.split():
        (chunks,) = jiwer.process_words([reference], [" ".join(hypothesis)]).alignments
        for chunk in chunks:
            if chunk.type == "equal":
                right[chunk.hyp_start_idx : chunk.hyp_end_idx] = [True] * (
                    chunk.hyp_end_idx - chunk.hyp_start_idx
                )
    return right


def alignment(reference: str, hypothesis: str) -> str:
    """Three lines: REF, HYP, and S, D and I under the words that differ."""
    if not reference.split():
        return f"REF: \nHYP: {hypothesis}\n     {'I ' * len(hypothesis.split())}".rstrip()
    picture: str = jiwer.visualize_alignment(
        jiwer.process_words([reference], [hypothesis]), show_measures=False, skip_correct=False
    )
    return "\n".join(line for line in picture.splitlines()[1:] if line.strip())


def _errors(output: jiwer.WordOutput | jiwer.CharacterOutput) -> Errors:
    return Errors(
        output.hits + output.substitutions + output.deletions,
        output.substitutions,
        output.deletions,
        output.insertions,
    )
