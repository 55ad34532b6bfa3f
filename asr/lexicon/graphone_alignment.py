"""Aligns the letters of words with their phones, by expectation maximisation (EM).

A word and its pronunciation can be cut into graphones in many ways. EM estimates the probability of
each graphone from its expected count over all ways (Galescu and Allen 2001; Bisani and Ney 2008,
section 2.2).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from asr.lexicon.graphone import Graphone
from asr.lexicon.phones import PHONES, Phones
from asr.runtime.jit import compiled, uncounted
from asr.text import ALPHABET

Indices = NDArray[np.int64]

_PHONES = len(PHONES)
_CODES = 1 + _PHONES + _PHONES**2  # no phone, one phone, two phones


def align(
    pairs: Sequence[tuple[str, Phones]], iterations: int = 12, least_count: float = 3.0
) -> list[list[Graphone] | None]:
    """Cuts each pair of a word in normal form and its pronunciation into graphones.

    Args:
        iterations: of EM.
        least_count: graphones expected less often than this are taken for errors of the
            dictionary and not used.

    Returns:
        One graphone for each letter; None for a pair that can't be aligned, such as an
        abbreviation.
    """
    letters = [np.array([ALPHABET.index(c) for c in word], np.int64) for word, _ in pairs]
    phones = [np.array([PHONES.index(p) for p in phones], np.int64) for _, phones in pairs]
    starts = _offsets(letters), _offsets(phones)
    flat = np.concatenate(letters), np.concatenate(phones)
    probability = np.full(len(ALPHABET) * _CODES, 1.0 / _CODES)
    for iteration in range(iterations):
        counts = _expect(*flat, *starts, probability)
        if iteration >= iterations // 2:  # early, counts are still spread over wrong ways
            counts[counts < least_count] = 0.0
        probability = counts / counts.sum()
    codes = _best(*flat, *starts, probability)
    graphones = [Graphone(letter, _decode(code)) for letter in ALPHABET for code in range(_CODES)]
    return [
        None if codes[start] < 0 else [graphones[code] for code in codes[start:end]]
        for start, end in zip(starts[0][:-1], starts[0][1:], strict=True)
    ]


def _offsets(parts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.cumsum([0, *(len(part) for part in parts)])


def _decode(code: int) -> Phones:
    if code == 0:
        return ()
    if code <= _PHONES:
        return (PHONES[code - 1],)
    first, second = divmod(code - 1 - _PHONES, _PHONES)
    return (PHONES[first], PHONES[second])


@uncounted
def _graphone(letter: int, phones: Indices, end: int, count: int) -> int:
    """The number of the graphone of ``letter`` and the ``count`` phones before ``end``."""
    code = 0
    if count == 1:
        code = 1 + phones[end - 1]
    elif count == 2:
        code = 1 + _PHONES + phones[end - 2] * _PHONES + phones[end - 1]
    return letter * _CODES + code


@compiled
def _expect(
    letters: Indices,
    phones: Indices,
    letter_starts: Indices,
    phone_starts: Indices,
    probability: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Expected counts of all graphones, by the forward and the backward pass over each pair."""
    counts = np.zeros_like(probability)
    for pair in range(len(letter_starts) - 1):
        word = letters[letter_starts[pair] : letter_starts[pair + 1]]
        spoken = phones[phone_starts[pair] : phone_starts[pair + 1]]
        rows, columns = len(word), len(spoken)
        forward = np.zeros((rows + 1, columns + 1))
        backward = np.zeros((rows + 1, columns + 1))
        forward[0, 0] = backward[rows, columns] = 1.0
        for i in range(1, rows + 1):
            for j in range(columns + 1):
                for count in range(min(2, j) + 1):
                    graphone = _graphone(word[i - 1], spoken, j, count)
                    forward[i, j] += forward[i - 1, j - count] * probability[graphone]
        total = forward[rows, columns]
        if total == 0.0:
            continue
        for i in range(rows, 0, -1):
            for j in range(columns + 1):
                for count in range(min(2, j) + 1):
                    graphone = _graphone(word[i - 1], spoken, j, count)
                    behind = backward[i, j] * probability[graphone]
                    backward[i - 1, j - count] += behind
                    counts[graphone] += forward[i - 1, j - count] * behind / total
    return counts


@compiled
def _best(
    letters: Indices,
    phones: Indices,
    letter_starts: Indices,
    phone_starts: Indices,
    probability: NDArray[np.float64],
) -> NDArray[np.int64]:
    """The code of each letter's phones in the likeliest way, -1 where there is none (Viterbi)."""
    codes = np.full(len(letters), -1)
    for pair in range(len(letter_starts) - 1):
        word = letters[letter_starts[pair] : letter_starts[pair + 1]]
        spoken = phones[phone_starts[pair] : phone_starts[pair + 1]]
        rows, columns = len(word), len(spoken)
        best = np.zeros((rows + 1, columns + 1))
        taken = np.zeros((rows + 1, columns + 1), np.int64)
        best[0, 0] = 1.0
        for i in range(1, rows + 1):
            for j in range(columns + 1):
                for count in range(min(2, j) + 1):
                    graphone = _graphone(word[i - 1], spoken, j, count)
                    way = best[i - 1, j - count] * probability[graphone]
                    if way > best[i, j]:
                        best[i, j], taken[i, j] = way, count
        if best[rows, columns] == 0.0:
            continue
        j = columns
        for i in range(rows, 0, -1):
            count = taken[i, j]
            codes[letter_starts[pair] + i - 1] = _graphone(word[i - 1], spoken, j, count)
            j -= count
    return codes
