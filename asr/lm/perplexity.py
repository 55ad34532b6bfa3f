"""How well a language model predicts a text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from asr.errors import AsrError
from asr.lm.ngram import NgramModel
from asr.lm.text import read_blocks

if TYPE_CHECKING:
    from asr.lm.recurrent import RecurrentModel


@dataclass(frozen=True)
class Perplexity:
    """Sums over a text; logarithms are to the base 10."""

    sentences: int
    words: int  # the ends of sentences, which are predicted too, not among them
    unknown: int  # words that the model lacks
    log_prob: float
    log_prob_unknown: float  # the part of the unknown words in it

    @property
    def with_unknown(self) -> float:
        """Perplexity of all tokens: 10 to the minus mean of their log10 probability."""
        tokens = self.words + self.sentences
        return _power(-self.log_prob / tokens)

    @property
    def without_unknown(self) -> float:
        """Perplexity of all tokens but the unknown words, which still count as context."""
        tokens = self.words - self.unknown + self.sentences
        return _power((self.log_prob_unknown - self.log_prob) / tokens)


def _power(exponent: float) -> float:
    return float(10**exponent) if exponent < 300 else float("inf")


def measure(model: NgramModel, texts: Sequence[Path]) -> Perplexity:
    """Scores every sentence of texts, each from <s> to </s>.

    Args:
        model: the language model.
        texts: files as :func:`asr.lm.text.read_blocks` takes them.

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
            missing = [s for w, s in zip(sentence, scores, strict=False) if not model.word_id(w)]
            sentences += 1
            words += len(sentence)
            unknown += len(missing)
            log_prob += sum(scores)
            log_prob_unknown += sum(missing)
    if not words:
        raise AsrError(f"there is no word in {', '.join(map(str, texts))}")
    return Perplexity(sentences, words, unknown, log_prob, log_prob_unknown)


def measure_recurrent(model: RecurrentModel, texts: Sequence[Path]) -> Perplexity:
    """The same with a recurrent model, which knows any word that it can spell.

    Raises:
        AsrError: a text can't be read, or there is no word in any.
    """
    sentences = words = 0
    log_prob = 0.0
    for block in read_blocks(texts, "scoring"):
        lines = [line for line in block.split("\n") if line]
        sentences += len(lines)
        words += sum(len(line.split()) for line in lines)
        log_prob += float(model.log_probs(lines).sum()) / math.log(10)
    if not words:
        raise AsrError(f"there is no word in {', '.join(map(str, texts))}")
    return Perplexity(sentences, words, 0, log_prob, 0.0)
