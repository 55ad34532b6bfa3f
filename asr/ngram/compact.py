"""The compact form of a language model: about two bytes an n-gram.

- An n-gram's last word is stored as its rank among the children of its parent's suffix, which all
  siblings share: a smaller number than the word's, and it leads to the n-gram's suffix as well
  (Whittaker and Raj 2001, "Quantization-based language model compression"). Siblings are sorted,
  so the ranks' differences are what is stored.
- Logarithms are rounded to multiples of a step. Uniform steps with entropy coding cost less at the
  same error than codebooks do.
- All numbers are cut into planes of bytes, each coded by zlib, which unpacks hundreds of megabytes
  a second.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr.ngram.model import NEVER, NgramModel

STEP = 0.04  # of log10: probabilities are off by 2.3 % on average, perplexity by less than 0.1 %

_CODES = 255  # of a logarithm; one more for NEVER
_BLOCK = 1 << 18
_IMPOSSIBLE = -20.0  # what is below is stored as NEVER

_Head = dict[str, Any]
_Sections = dict[str, NDArray[Any]]  # all of bytes


def pack(model: NgramModel, step: float = STEP) -> tuple[_Head, _Sections]:
    """The head of a file and its sections.

    Args:
        model: each n-gram's suffix must be the n-gram without its first word.
        step: of the logarithms; wider for an order whose range would need more than a byte.
    """
    scales = []
    sections = {"words": _deflate(np.frombuffer("\n".join(model.words).encode(), np.uint8))}
    levels = model.levels
    first_child = model.first_child.astype(np.int64)
    sizes = np.diff(first_child)
    for order in range(1, model.order + 1):
        own = slice(levels[order], levels[order + 1])
        if order > 1:
            parents = slice(levels[order - 1], levels[order])
            family = np.repeat(first_child[model.suffix[parents]], sizes[parents])
            rank = model.suffix[own] - family
            first = first_child[parents][sizes[parents] > 0] - own.start
            gaps = np.diff(rank, prepend=0) - 1
            gaps[first] = rank[first]
            _put_integers(sections, f"rank{order}", gaps)
        codes, scale = _quantise(model.log_prob[own], step)
        sections[f"log_prob{order}"] = _deflate(codes)
        scales.append(scale)
        if order < model.order:
            _put_integers(sections, f"size{order}", sizes[own])
            backoff = model.backoff[own]
            if not backoff[sizes[own] == 0].any():  # as a rule
                backoff = backoff[sizes[own] > 0]
            codes, scale = _quantise(backoff, step)
            sections[f"backoff{order}"] = _deflate(codes)
            scales[-1] += scale
    return {"order": model.order, "counts": model.counts, "scales": scales}, sections


def unpack(head: _Head, sections: _Sections) -> NgramModel:
    """The model that :func:`pack` was given, its logarithms rounded."""
    order, counts, scales = head["order"], head["counts"], head["scales"]
    levels = [0, 1, *(1 + np.cumsum(counts)).tolist()]
    total, top = levels[-1], levels[-2]
    word = np.empty(total, np.uint32)
    suffix = np.empty(total, np.uint32)
    log_prob = np.empty(total, np.float32)
    backoff = np.zeros(top, np.float32)
    first_child = np.full(top + 1, total, np.uint32)
    word[0] = suffix[0] = log_prob[0] = 0
    word[1 : levels[2]] = np.arange(counts[0])
    suffix[1 : levels[2]] = 0
    first_child[:2] = levels[1:3]
    parents = np.zeros(0, np.int64)  # in the order below, those that have children
    sizes = np.zeros(0, np.uint32)  # how many each of them has
    of_order = {k: slice(levels[k], levels[k + 1]) for k in range(1, order + 1)}
    all_sizes = {k: np.empty(counts[k - 1], np.uint32) for k in range(1, order)}
    with ThreadPoolExecutor() as pool:  # zlib works outside of Python's lock
        ranks = {
            k: pool.submit(_integers, sections, f"rank{k}", suffix[of_order[k]])
            for k in range(2, order + 1)
        }
        families = {
            k: pool.submit(_integers, sections, f"size{k}", all_sizes[k]) for k in all_sizes
        }
        logarithms = [
            pool.submit(_logarithms, sections[f"log_prob{k}"], scales[k - 1], log_prob[own])
            for k, own in of_order.items()
        ]
        words = zlib.decompress(sections["words"].data).decode().split("\n")
        for k, own in of_order.items():
            if k > 1:
                # Sums over all of an order, from which each family's beginning is taken off again.
                # Arithmetic is modulo 2^32: only differences matter.
                ranks[k].result()
                sums = suffix[own]
                sums += 1
                np.cumsum(sums, out=sums)
                begin = first_child[parents]
                before = suffix[begin - 1]
                before[begin == own.start] = 0
                sums += np.repeat(first_child[suffix[parents]] - before - np.uint32(1), sizes)
                _look_up(word, sums, word[own])
            if k == order:
                break
            families[k].result()
            sizes = all_sizes.pop(k)
            ends = first_child[own.start + 1 : own.stop + 1]
            np.cumsum(sizes, out=ends)
            ends += own.stop
            parents = np.flatnonzero(sizes)
            sizes = sizes[parents]
            parents += own.start
            codes = np.frombuffer(zlib.decompress(sections[f"backoff{k}"].data), np.uint8)
            backoffs = _codebook(scales[k - 1][2:])[codes]
            backoff[parents if len(codes) < counts[k - 1] else own] = backoffs
        for future in logarithms:
            future.result()
    return NgramModel(order, words, word, log_prob, backoff, first_child, suffix, top)


def _look_up(table: NDArray[Any], index: NDArray[Any], out: NDArray[Any]) -> None:
    """``out[:] = table[index]``, in blocks: numpy widens indices to eight bytes."""
    for start in range(0, len(index), _BLOCK):
        block = slice(start, start + _BLOCK)
        np.take(table, index[block], out=out[block], mode="clip")


def _quantise(values: NDArray[np.float32], step: float) -> tuple[NDArray[np.uint8], list[float]]:
    """Codes, and the value of code 1 and the step from each code to the next; code 0 is NEVER."""
    possible = values > _IMPOSSIBLE
    low = high = 0.0
    if possible.any():
        low, high = float(values[possible].min()), float(values[possible].max())
    low = step * float(np.floor(low / step))  # so that 0 stays 0
    if (high - low) / step > _CODES - 1:
        step = (high - low) / (_CODES - 1)
    codes = np.where(possible, np.rint((values - low) / step) + 1, 0)
    return codes.astype(np.uint8), [low, step]


def _codebook(scale: list[float]) -> NDArray[np.float32]:
    low, step = scale
    return np.concatenate([[NEVER], low + step * np.arange(_CODES)]).astype(np.float32)


def _put_integers(sections: _Sections, name: str, values: NDArray[np.int64]) -> None:
    planes = max(1, -(-int(values.max(initial=0)).bit_length() // 8))
    for plane in range(planes):
        sections[f"{name}.{plane}"] = _deflate((values >> (8 * plane)).astype(np.uint8))


def _integers(sections: _Sections, name: str, out: NDArray[np.uint32]) -> None:
    out[:] = 0
    plane = 0
    while (key := f"{name}.{plane}") in sections:
        for place, block in _blocks(sections[key]):
            out[place] += np.left_shift(block, 8 * plane, dtype=np.uint32)
        plane += 1


def _logarithms(section: NDArray[np.uint8], scale: list[float], out: NDArray[np.float32]) -> None:
    table = _codebook(scale[:2])
    for place, block in _blocks(section):
        out[place] = table[block]


def _blocks(section: NDArray[np.uint8]) -> Iterator[tuple[slice, NDArray[np.uint8]]]:
    """What a section holds, block by block, and where: whole it would take memory of its own."""
    inflater = zlib.decompressobj()
    end = 0
    for start in range(0, len(section), _BLOCK):
        coded = section[start : start + _BLOCK].tobytes()
        while coded:
            block = np.frombuffer(inflater.decompress(coded, _BLOCK), np.uint8)
            yield slice(end, end + len(block)), block
            end += len(block)
            coded = inflater.unconsumed_tail
    block = np.frombuffer(inflater.flush(), np.uint8)
    yield slice(end, end + len(block)), block


def _deflate(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.frombuffer(zlib.compress(data.data, 9), np.uint8)
