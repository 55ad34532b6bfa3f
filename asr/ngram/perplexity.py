"""How well a language model predicts a text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from asr.corpora.text import read_blocks
from asr.errors import AsrError
from asr.ngram.model import NgramModel
from asr.tokenizers.tokenizer import BLANK

if TYPE_CHECKING:
    from asr.neural_lm.network import RecurrentModel


@dataclass(frozen=True)
class Perplexity:
    """Sums over a text; logarithms are to the base 10."""

    sentences: int
    words: int  # the ends of sentences, which are predicted too, not among them
    unknown: int  # words that the model lacks
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
        texts: files as :func:`asr.corpora.text.read_blocks` takes them.

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


def measure_recurrent(model: RecurrentModel, texts: Sequence[Path]) -> Perplexity:
    """The same with a recurrent model, which knows any word that it can spell.

    A sentence with one that it can't has no probability: all its words are unknown, and it is not
    among the sentences.

    Raises:
        AsrError: a text can't be read, or there is no sentence in any that has a probability.
    """
    sentences = words = unknown = 0
    log_prob = 0.0
    for block in read_blocks(texts, "scoring"):
        lines = [line for line in block.split("\n") if line]
        spellings = model.tokenizer.encode_lines(lines)
        known = [line for line, units in zip(lines, spellings, strict=True) if BLANK not in units]
        sentences += len(known)
        words += _count(lines)
        unknown += _count(lines) - _count(known)
        log_prob += float(model.log_probs(known).sum()) / math.log(10)
    if not words:
        raise AsrError(f"there is no word in {', '.join(map(str, texts))}")
    if not sentences:
        raise AsrError(f"the model can spell no sentence of {', '.join(map(str, texts))}")
    return Perplexity(sentences, words, unknown, log_prob, -math.inf if unknown else 0.0)


def _count(lines: Sequence[str]) -> int:
    return sum(len(line.split()) for line in lines)
