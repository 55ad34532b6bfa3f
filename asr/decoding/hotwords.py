"""Hot words: phrases to be favoured, as one automaton (Aho and Corasick 1975) over words.

A phrase earns its boost where it is complete. A beginning of it earns its share of the boost on
credit, so that the phrase is not pruned at its first word; the credit is taken back with the word
at which the phrase breaks off, or at the end of the utterance. So the sum over any word sequence is
the boosts of the phrases that it contains, and nothing else.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr.errors import AsrError
from asr.text import normalise


@dataclass(frozen=True, eq=False)
class HotWords:
    """The automaton, in flat arrays; in state 0 no phrase has begun."""

    first_child: NDArray[np.int32]  # [S + 1] i's children are first_child[i] to first_child[i + 1]
    word: NDArray[np.int32]  # [S] the last word on the way to each state; children are sorted by it
    fallback: NDArray[np.int32]  # [S] the state of the longest proper suffix
    earned: NDArray[np.float64]  # [S] boosts of all phrases that end here, natural logarithm
    credit: NDArray[np.float64]  # [S] for the most promising phrase begun
    root_child: NDArray[np.int32]  # [words] the root's child by each word, 0 for none

    @classmethod
    def build(cls, phrases: Mapping[tuple[int, ...], float], words: int) -> HotWords:
        """The automaton of ``phrases``, sequences of word numbers below ``words``, and boosts."""
        children: list[dict[int, int]] = [{}]
        last, depths = [0], [0]
        earned, credit = [0.0], [0.0]
        for phrase, boost in phrases.items():
            state = 0
            for depth, word in enumerate(phrase, 1):
                if word not in children[state]:
                    children[state][word] = len(children)
                    children.append({})
                    last.append(word)
                    depths.append(depth)
                    earned.append(0.0)
                    credit.append(0.0)
                state = children[state][word]
                if depth < len(phrase):
                    credit[state] = max(credit[state], boost * depth / len(phrase))
            earned[state] += boost

        # By levels, each state's fallback after its parent's; then renumbered in that order.
        fallback = [0] * len(children)
        order = [0]
        queue = deque(order)
        while queue:
            state = queue.popleft()
            for word, child in sorted(children[state].items()):
                suffix = fallback[state]
                while suffix and word not in children[suffix]:
                    suffix = fallback[suffix]
                fallback[child] = children[suffix].get(word, 0) if state else 0
                earned[child] += earned[fallback[child]]
                credit[child] = max(credit[child], credit[fallback[child]])
                order.append(child)
                queue.append(child)
        rank = np.empty(len(order), np.int32)
        rank[order] = np.arange(len(order))
        first_child = np.ones(len(order) + 1, np.int32)
        first_child[1:] += np.cumsum([len(children[state]) for state in order], dtype=np.int32)
        root_child = np.zeros(max(words, 1), np.int32)
        for word, child in children[0].items():
            root_child[word] = rank[child]
        return cls(
            first_child,
            np.array(last, np.int32)[order],
            rank[np.array(fallback)[order]],
            np.array(earned)[order],
            np.array(credit)[order],
            root_child,
        )

    def first_gain(self) -> NDArray[np.float64]:
        """The boost and credit of each word at the beginning, shape (words,)."""
        return self.earned[self.root_child] + self.credit[self.root_child]


def read_phrases(hotwords: Iterable[str] | Mapping[str, float], boost: float) -> dict[str, float]:
    """Normalised phrases and the boost of each, natural logarithms.

    Args:
        hotwords: phrases, perhaps with boosts of their own.
        boost: of those without.

    Raises:
        AsrError: a phrase is empty or a boost is no number.
    """
    pairs = hotwords.items() if isinstance(hotwords, Mapping) else ((p, boost) for p in hotwords)
    phrases: dict[str, float] = {}
    for phrase, own in pairs:
        normal = normalise(phrase)
        if not normal:
            raise AsrError(f"the hot word {phrase!r} has no letters")
        if not math.isfinite(own):
            raise AsrError(f"the boost of the hot word {phrase!r} is not a number: {own}")
        phrases[normal] = max(own, phrases.get(normal, own))
    return phrases
