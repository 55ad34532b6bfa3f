"""ARPA files, plain or gzipped: the format of KenLM, SRILM and openslr.org."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from asr.errors import AsrError
from asr.ngram.model import NEVER, SPECIAL_WORDS, UNK, NgramModel
from asr.ngram.trie import Ngrams, build
from asr.runtime.files import atomic, why_unreadable
from asr.runtime.progress import bar

EXTENSIONS = (".arpa", ".arpa.gz")

_NO_UNK = -100.0  # log10 P(<unk>) of a model that lacks it, as KenLM has it
_BLOCK = 1 << 16  # lines at a time
_THOUSAND = 1000
_COUNT = re.compile(rb"ngram\s+(\d+)\s*=\s*(\d+)")
_BOM = b"\xef\xbb\xbf"
_COMPRESSION = 5  # of gzip; higher ones take twice the time for 2 % of the size


def read_arpa(path: Path) -> NgramModel:
    """Reads a model; its words are numbered from the most to the least probable.

    Fields are parted by blanks and tabs alone, as KenLM and SRILM part them: a word may hold a
    no-break space. A logarithm of -inf is one of :data:`asr.ngram.model.NEVER`. Missing back-offs
    are 0. A missing <unk> gets a probability that rules it out. N-grams that others need and
    pruning took away are put back (see :func:`asr.ngram.trie.build`).

    Raises:
        AsrError: the file can't be read, is no ARPA file or is damaged.
    """
    try:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rb") as file:
            model = _Reader(file, path).read()
        model.validate(path)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise AsrError(
            f"the language model {path} is damaged or cut short; fetch or write it again"
        ) from error
    except OSError as error:
        raise AsrError(f"the language model {path} {why_unreadable(error)}") from error
    except UnicodeDecodeError as error:
        raise AsrError(f"the language model {path} is not UTF-8 text") from error
    return model


class _Reader:
    """Reads an ARPA file line by line, as bytes: these are split at ASCII white space alone."""

    def __init__(self, file: IO[bytes] | gzip.GzipFile, path: Path) -> None:
        self._file = file
        self._path = path
        self._number = 0  # of the line read last

    def read(self) -> NgramModel:
        for line in self._file:
            self._number += 1
            if line.removeprefix(_BOM).strip() == b"\\data\\":  # comments stand before it
                break
        else:
            raise AsrError(
                f"{self._path} is no language model: it is neither in asr's own form nor in ARPA's"
            )
        counts: list[int] = []
        while match := _COUNT.fullmatch(line := self._next()):
            counts.append(int(match[2]))
        if not counts:
            raise self._error("should say how many unigrams there are, 'ngram 1=...'")
        words: list[str] = []
        levels: list[Ngrams] = []
        with bar() as progress:
            task = progress.add_task("reading n-grams, k", total=sum(counts) // _THOUSAND)
            for order, count in enumerate(counts, 1):
                if line != f"\\{order}-grams:".encode():
                    raise self._error(f"should be '\\{order}-grams:'")
                if order == 1:
                    words, unigrams = self._unigrams(count)
                    levels.append(unigrams)
                    ids = {word.encode(): index for index, word in enumerate(words)}
                else:
                    levels.append(self._ngrams(order, count, ids))
                done = sum(counts[:order])
                progress.update(task, completed=done // _THOUSAND)
                line = self._next()
        if line != b"\\end\\":
            raise self._error("should be '\\end\\'")
        for _ in self._file:  # to its end, where gzip has its checksum
            pass
        try:
            return build(words, levels)
        except ValueError as error:
            raise AsrError(f"the language model {self._path} is damaged: {error}") from error

    def _unigrams(self, count: int) -> tuple[list[str], Ngrams]:
        rows = [row for block in self._rows(1, count) for row in block]
        words = [row[1].decode() for row in rows]
        log_prob, backoff = self._numbers(rows, 1)
        first = {word: index for index, word in reversed(list(enumerate(words)))}
        if "<UNK>" in first and SPECIAL_WORDS[UNK] not in first:  # some tools write capitals
            first[SPECIAL_WORDS[UNK]] = first.pop("<UNK>")
        if len(first) < len(words):
            raise self._error("ends the unigrams, of which one stands twice")
        if SPECIAL_WORDS[UNK] not in first:
            first[SPECIAL_WORDS[UNK]] = len(words)
            log_prob = np.append(log_prob, np.float32(_NO_UNK))
            backoff = np.append(backoff, np.float32(0))
        for word in SPECIAL_WORDS:
            if word not in first:
                raise self._error(f"ends the unigrams, which lack {word}")
        rest = sorted(set(first) - set(SPECIAL_WORDS), key=lambda w: (-log_prob[first[w]], w))
        words = [*SPECIAL_WORDS, *rest]
        order = np.array([first[word] for word in words])
        ids = np.arange(len(words), dtype=np.uint32)[:, None]
        return words, Ngrams(ids, log_prob[order], backoff[order])

    def _ngrams(self, order: int, count: int, ids: dict[bytes, int]) -> Ngrams:
        blocks = []
        for rows in self._rows(order, count):
            try:
                words = [[ids[word] for word in row[1 : order + 1]] for row in rows]
            except KeyError as error:
                word = error.args[0].decode(errors="replace")
                raise self._error(f"or one before has the word {word!r}, no unigram") from None
            log_prob, backoff = self._numbers(rows, order)
            blocks.append(Ngrams(np.array(words, np.uint32), log_prob, backoff))
        return Ngrams(
            np.concatenate([np.zeros((0, order), np.uint32), *(b.words for b in blocks)]),
            np.concatenate([np.zeros(0, np.float32), *(b.log_prob for b in blocks)]),
            np.concatenate([np.zeros(0, np.float32), *(b.backoff for b in blocks)]),
        )

    def _rows(self, order: int, count: int) -> Iterator[list[list[bytes]]]:
        """The fields of the next ``count`` lines: probability, words, as a rule a back-off."""
        for start in range(0, count, _BLOCK):
            size = min(_BLOCK, count - start)
            rows = [line.split() for line in islice(self._file, size)]
            if not {len(row) for row in rows} <= {order + 1, order + 2}:
                bad = next(i for i, row in enumerate(rows) if not 1 <= len(row) - order <= 2)
                self._number += bad + 1
                raise self._error(f"is no {order}-gram")
            self._number += len(rows)
            if len(rows) < size:
                raise EOFError
            yield rows

    def _numbers(
        self, rows: list[list[bytes]], order: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        try:
            log_prob = np.array([float(row[0]) for row in rows], np.float32)
            backoff = np.array([float(r[-1]) if len(r) > order + 1 else 0.0 for r in rows])
        except ValueError as error:
            fault = str(error).replace(": b'", ": '")
            raise self._error(f"or one before has no number where one should be: {fault}") from None
        log_prob[log_prob == -np.inf] = NEVER
        backoff[backoff == -np.inf] = NEVER
        return log_prob, backoff.astype(np.float32)

    def _next(self) -> bytes:
        """The next line that is not empty."""
        for line in self._file:
            self._number += 1
            if stripped := line.strip():
                return stripped
        raise EOFError

    def _error(self, fault: str) -> AsrError:
        return AsrError(
            f"the language model {self._path} is no ARPA file or damaged: "
            f"line {self._number} {fault}"
        )


def write_arpa(model: NgramModel, path: Path) -> None:
    """Writes a model, gzipped if the path ends in .gz; its n-grams are in the model's order."""
    with atomic(path) as temporary, open(temporary, "wb") as raw:
        if path.suffix == ".gz":
            with gzip.GzipFile("", "wb", _COMPRESSION, raw, mtime=0) as file:
                _write(model, file)
        else:
            _write(model, raw)


def _write(model: NgramModel, file: IO[bytes] | gzip.GzipFile) -> None:
    levels = model.levels
    text = "".join(f"ngram {k}={count}\n" for k, count in enumerate(model.counts, 1))
    file.write(f"\\data\\\n{text}".encode())
    first_child = model.first_child.astype(np.int64)
    parent = np.repeat(np.arange(model.top), first_child[1:] - first_child[:-1])
    with bar() as progress:
        task = progress.add_task("writing n-grams, k", total=len(model.word) // _THOUSAND)
        for order, (start, end) in enumerate(pairwise(levels[1:]), 1):
            file.write(f"\n\\{order}-grams:\n".encode())
            for first in range(start, end, _BLOCK):
                numbers = np.arange(first, min(first + _BLOCK, end))
                columns = [_words(model, numbers)]
                ancestors = numbers
                for _ in range(order - 1):
                    ancestors = parent[ancestors - 1]
                    columns.insert(0, _words(model, ancestors))
                words = [" ".join(row) for row in zip(*columns, strict=True)]
                log_probs = model.log_prob[numbers].tolist()
                if order < model.order:
                    backoffs = model.backoff[numbers].tolist()
                    rows = zip(log_probs, words, backoffs, strict=True)
                    lines = [f"{p:.7g}\t{text}\t{b:.7g}\n" for p, text, b in rows]
                else:
                    both = zip(log_probs, words, strict=True)
                    lines = [f"{p:.7g}\t{text}\n" for p, text in both]
                file.write("".join(lines).encode())
                progress.update(task, completed=int(numbers[-1]) // _THOUSAND)
    file.write(b"\n\\end\\\n")


def _words(model: NgramModel, numbers: NDArray[np.integer]) -> list[str]:
    words = model.words
    return [words[index] for index in model.word[numbers].tolist()]
