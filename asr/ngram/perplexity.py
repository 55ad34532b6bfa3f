"""Perplexity of a text under an n-gram model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from asr.corpora.text_blocks import read_blocks
from asr.errors import AsrError
from asr.ngram.model import NgramModel


@dataclass(frozen=True)
class Perplexity:
    """Sums over a text; logarithms are to the base 10."""

    sentences: int
    words: int  # without the ends of sentences, which are predicted too
    unknown: int  # words outside the vocabulary
    log_prob: float  # of all other words, and the ends
    log_prob_unknown: float

    @property
    def with_unknown(self) -> float:
        """Perplexity of all tokens: 10 to the minus mean of their log10 probability."""
        tokens = self.words + self.sentences
        return _power(-(self.log_prob + self.log_prob_unknown) / tokens)

    @property
    def without_unknown(self) -> float:
        """Perplexity of all tokens but the unknown words, which still count as context."""
        tokens = self.words - self.unknown + self.sentences
        return _power(-self.log_prob / tokens)


def _power(exponent: float) -> float:
    return float(10**exponent) if exponent < 300 else float("inf")


def measure(model: NgramModel, texts: Sequence[Path]) -> Perplexity:
    """Scores every sentence of texts, each from <s> to </s>.

    Args:
        model: the language model.
        texts: files as :func:`asr.corpora.text_blocks.read_blocks` takes them.

    Raises:
        AsrError: a text can't be read, or there is no word in any.
    """
    sentences = words = unknown = 0
    log_prob = log_prob_unknown = 0.0
    for block in read_blocks(texts, "scoring"):
        for line in block.split("\n"):
            if not (sentence := line.split()):
                continue
            scores = model.score_sentence(sentence)
            missing = [not model.word_id(word) for word in sentence]
            sentences += 1
            words += len(sentence)
            unknown += sum(missing)
            paired = list(zip(scores, [*missing, False], strict=True))
            log_prob += sum(score for score, lacks in paired if not lacks)
            log_prob_unknown += sum(score for score, lacks in paired if lacks)
    if not words:
        raise AsrError(f"there is no word in {', '.join(map(str, texts))}")
    return Perplexity(sentences, words, unknown, log_prob, log_prob_unknown)
