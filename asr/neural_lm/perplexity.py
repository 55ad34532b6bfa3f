"""Perplexity of a text under an LSTM language model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from asr.corpora.text_blocks import read_blocks
from asr.errors import AsrError
from asr.neural_lm.network import RecurrentModel
from asr.ngram.perplexity import Perplexity
from asr.tokenizers.tokenizer import BLANK


def measure(model: RecurrentModel, texts: Sequence[Path]) -> Perplexity:
    """Scores every sentence of texts.

    A sentence with a word that the model can't spell has no probability: all its words count as
    unknown, and it is not counted as a sentence.

    Args:
        model: the language model.
        texts: files as :func:`asr.corpora.text_blocks.read_blocks` takes them.

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
