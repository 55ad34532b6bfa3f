"""From text to a language model, step by step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr.errors import AsrError
from asr.ngram.binary import compact_size
from asr.ngram.counts import Counts, count_ngrams
from asr.ngram.kneser_ney import assemble, estimate
from asr.ngram.model import NgramModel
from asr.ngram.pruning import keep_frequent, keep_valuable, relative_entropies
from asr.ngram.vocabulary import choose_words, read_corpus
from asr.runtime.progress import bar

DEFAULT_ORDER = 3
DEFAULT_VOCABULARY = 80_000  # words

_BYTES = 1.7  # of an n-gram in the compact form, to begin with
_CLOSE = 0.98  # of the size asked for is close enough


def train(
    texts: Sequence[Path],
    *,
    order: int = DEFAULT_ORDER,
    vocabulary: int | Sequence[str] = DEFAULT_VOCABULARY,
    prune: Sequence[int] = (0,),
    max_ngrams: int | None = None,
    max_bytes: int | None = None,
) -> NgramModel:
    """Trains a model: interpolated modified Kneser-Ney, pruned by count, by entropy or not at all.

    Args:
        texts: files as :func:`asr.corpora.text_blocks.read_blocks` takes them.
        order: 3 for trigrams.
        vocabulary: the words, or how many of the most frequent; all others are <unk>.
        prune: for each order the count up to which n-grams are left out, the last for all further
            orders; the first, of unigrams, is 0.
        max_ngrams: how many n-grams the model may have besides its unigrams.
        max_bytes: how large the model may be in the compact form.

    Raises:
        AsrError: a text can't be read, there is no word in any, or the arguments don't agree.
    """
    if prune[0] != 0 or list(prune) != sorted(prune) or len(prune) > order:
        raise AsrError(
            f"the thresholds {' '.join(map(str, prune))} can't be: there is one for each order, "
            "from 0 on never falling, such as 0 1 1"
        )
    corpus = read_corpus(texts)
    if isinstance(vocabulary, int):
        words = choose_words(corpus, vocabulary)
    else:
        words = choose_words(corpus, len(vocabulary), vocabulary)
    # Of the highest order, what pruning leaves out is not listed: it may well be most of all.
    least = 1 + prune[-1] if order > 1 else 1
    levels = count_ngrams(corpus.with_vocabulary(words), order, least)
    kept = keep_frequent(levels, prune)
    with _stage("smoothing"):
        estimates = estimate(levels, kept)
    if max_ngrams is None and max_bytes is None:
        return assemble(words, levels, kept, estimates)
    with _stage("pruning"):
        losses = relative_entropies(levels, kept, estimates)
        del estimates
        if max_bytes is None:
            return _pruned(words, levels, losses, max_ngrams or 0)
        return _fitted(words, levels, losses, max_ngrams, max_bytes)


def _pruned(
    words: Sequence[str],
    levels: Sequence[Counts],
    losses: Sequence[NDArray[np.float64]],
    size: int,
) -> NgramModel:
    kept = keep_valuable(losses, size)
    return assemble(words, levels, kept, estimate(levels, kept))


def _fitted(
    words: Sequence[str],
    levels: Sequence[Counts],
    losses: Sequence[NDArray[np.float64]],
    max_ngrams: int | None,
    max_bytes: int,
) -> NgramModel:
    """The model with as many n-grams as fit: size is nearly linear in their number."""
    best = None
    most = sum(int((loss > -np.inf).sum()) for loss in losses[1:])
    low, high = -1, 1 + (most if max_ngrams is None else min(most, max_ngrams))  # too few, too many
    size = min(high - 1, int(max_bytes / _BYTES))
    while high - low > 1:
        model = _pruned(words, levels, losses, size)
        taken = compact_size(model)
        if taken > max_bytes:
            high = size
        else:
            best, low = model, size
            if taken > _CLOSE * max_bytes:
                break
        aim = int(size * (1 + _CLOSE) / 2 * max_bytes / taken)
        size = min(max(aim, low + 1), high - 1)
    if best is None:
        raise AsrError(
            f"{len(words)} words alone take more than {max_bytes} bytes; "
            "allow the model more, or give it a smaller vocabulary"
        )
    return best


@contextmanager
def _stage(description: str) -> Iterator[None]:
    """Shows that something is under way whose end can't be told."""
    with bar() as progress:
        progress.add_task(description, total=None)
        yield
