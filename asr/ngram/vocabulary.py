"""A text as a stream of word ids, and the vocabulary of a model."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr.corpora.text_blocks import read_blocks
from asr.errors import AsrError
from asr.ngram.model import BOS, EOS, SPECIAL_WORDS, UNK
from asr.text import foreign_characters

_BLOCK = 1 << 22  # ids at a time


@dataclass(frozen=True)
class Corpus:
    """Sentences, each ended by the id of </s>; none is empty."""

    words: Sequence[str]  # by id, which is that of a model's vocabulary or of first appearance
    ids: NDArray[np.uint32]  # [tokens], often a view of a temporary file
    counts: NDArray[np.int64]  # [words]

    def with_vocabulary(self, words: Sequence[str]) -> Corpus:
        """The same text in the ids of ``words``, <unk> for those that are not among them."""
        new_ids = {word: index for index, word in enumerate(words)}
        table = np.array([new_ids.get(word, UNK) for word in self.words], np.uint32)
        counts = np.zeros(len(words), np.int64)
        np.add.at(counts, table, self.counts)
        ids = _Spool()
        for start in range(0, len(self.ids), _BLOCK):
            ids.append(table[self.ids[start : start + _BLOCK]])
        return Corpus(words, ids.array(), counts)


def read_corpus(paths: Sequence[Path], description: str = "reading text") -> Corpus:
    """Reads text (:func:`asr.corpora.text_blocks.read_blocks`); every word has its own id.

    Raises:
        AsrError: a file can't be read, or there is no word in any.
    """
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    for word in SPECIAL_WORDS:
        numbers[word]
    ids = _Spool()
    counts = np.zeros(0, np.int64)
    last = EOS
    for block in read_blocks(paths, description):
        tokens = block.replace("\n", f" {SPECIAL_WORDS[EOS]} ").split()
        stream = np.fromiter(map(numbers.__getitem__, tokens), np.uint32, len(tokens))
        if len(stream):
            before = np.concatenate([[last], stream[:-1]])
            stream = stream[(stream != EOS) | (before != EOS)]  # empty lines are no sentences
        if len(stream):
            last = int(stream[-1])
            seen = np.bincount(stream, minlength=len(numbers))
            seen[: len(counts)] += counts
            counts = seen
            ids.append(stream)
    if not counts.any():
        raise AsrError(f"there is no word in {', '.join(map(str, paths))}")
    return Corpus(list(numbers), ids.array(), counts)


def choose_words(corpus: Corpus, size: int, wanted: Iterable[str] | None = None) -> list[str]:
    """The words of a model: the special ones, then from the most frequent on.

    Words that the project's normal form can't spell (they hold digits, say) are left out.

    Args:
        corpus: as read.
        size: how many at most, without the special ones.
        wanted: only, and all, of these; ``size`` does not count then.
    """
    frequency = dict(zip(corpus.words, corpus.counts.tolist(), strict=True))
    for word in SPECIAL_WORDS:
        del frequency[word]
    if wanted is None:
        spelled = [word for word in frequency if not foreign_characters(word)]
    else:
        spelled = list(set(wanted) - set(SPECIAL_WORDS))
        size = len(spelled)
    spelled.sort(key=lambda word: (-frequency.get(word, 0), word))
    return [*SPECIAL_WORDS, *spelled[:size]]


def with_starts(ids: NDArray[np.uint32], *, after: int) -> NDArray[np.uint32]:
    """A stretch of a corpus with <s> put before each of its sentences.

    Args:
        ids: the stretch.
        after: the id that comes before it; </s> at the very beginning.
    """
    before = np.concatenate([np.array([after], np.uint32), ids[:-1]])
    return np.insert(ids, np.flatnonzero(before == EOS), np.uint32(BOS))


class _Spool:
    """An array that grows on disk, so that a text need not fit into memory."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="asr-lm-")  # noqa: SIM115
        self._size = 0

    def append(self, ids: NDArray[np.uint32]) -> None:
        self._file.write(ids.astype(np.uint32, copy=False).data)
        self._size += len(ids)

    def array(self) -> NDArray[np.uint32]:
        self._file.flush()
        return np.memmap(self._file, np.uint32, "r", shape=(self._size,))
