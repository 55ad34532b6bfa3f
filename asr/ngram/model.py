"""Back-off n-gram language models: a trie of n-grams, each linked to its suffix.

N-grams are numbered. Number 0 is the empty n-gram, the root; the unigram of word w is 1 + w; then
come the bigrams, grouped by their parents (an n-gram's parent lacks its last word) in the parents'
order and sorted by word within a group; then the trigrams likewise, and so on. So the children of
an n-gram lie side by side and are found by binary search, and the arrays of one order are slices.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr.errors import AsrError

UNK, BOS, EOS = 0, 1, 2
SPECIAL_WORDS = ("<unk>", "<s>", "</s>")  # the words of the ids above
NEVER = -99.0  # log10 probability of words that are never predicted, in ARPA files


@dataclass(frozen=True, eq=False)
class NgramModel:
    """A language model that maps a state and a word to a probability and the next state.

    A state is the number of the longest n-gram, shorter than ``order``, that ends the words so far.
    All logarithms are to the base 10, as in ARPA files. N is the number of n-grams with the root;
    only the first ``top`` of them can have children, and back off. The arrays may be views of a
    file and are read-only.
    """

    order: int
    words: Sequence[str]  # by word id; ids 0 to 2 are <unk>, <s> and </s>
    word: NDArray[np.uint32]  # [N] the last word of each n-gram
    log_prob: NDArray[np.float32]  # [N] of the last word after the others
    backoff: NDArray[np.float32]  # [top] added where a word is no child; 0 where there is none
    first_child: NDArray[np.uint32]  # [top + 1] i's children are from first_child[i] to the next's
    suffix: NDArray[np.uint32]  # [N] the longest n-gram of the model that ends each: as a rule
    # it without its first word, in a pruned model perhaps a shorter one; 0 for unigrams
    top: int  # the first n-gram of the highest order

    @property
    def start(self) -> int:
        """The state at the beginning of a sentence, after <s>."""
        return 1 + BOS if self.order > 1 else 0

    @property
    def levels(self) -> tuple[int, ...]:
        """The first number of each order, from the root's 0 on, and at the end N."""
        return _levels(self.first_child, self.order)

    @property
    def counts(self) -> tuple[int, ...]:
        """The number of n-grams of each order, from the unigrams on."""
        return tuple(b - a for a, b in pairwise(self.levels[1:]))

    @cached_property
    def word_ids(self) -> dict[str, int]:
        """The id of each word."""
        return {word: index for index, word in enumerate(self.words)}

    def word_id(self, word: str) -> int:
        """The id of ``word``, of <unk> if the model lacks it."""
        return self.word_ids.get(word, UNK)

    def score(self, state: int, word_id: int) -> tuple[float, int]:
        """log10 P(word | state), and the state after the word."""
        total = 0.0
        while state:
            last = int(self.first_child[state + 1])
            child = bisect_left(self.word, word_id, int(self.first_child[state]), last)
            if child < last and self.word[child] == word_id:
                break
            total += float(self.backoff[state])
            state = int(self.suffix[state])
        else:
            child = 1 + word_id
        total += float(self.log_prob[child])
        return total, child if child < self.top else int(self.suffix[child])

    def score_sentence(self, words: Iterable[str]) -> list[float]:
        """log10 of the probability of each word and of the end, given the words before."""
        state = self.start
        scores = []
        for word in (*map(self.word_id, words), EOS):
            score, state = self.score(state, word)
            scores.append(score)
        return scores

    def validate(self, name: str | Path = "") -> None:
        """Raises an AsrError if the arrays are not those of a trie as described above.

        Args:
            name: of the model's file, for the error.
        """
        if fault := _find_fault(self):
            raise AsrError(f"the language model {name} is inconsistent: {fault}")


def find_children(
    word: NDArray[np.uint32],
    first_child: NDArray[np.uint32],
    parents: NDArray[np.integer],
    words: NDArray[np.integer],
) -> NDArray[np.int64]:
    """The children ``words`` of ``parents``, all looked up at once; 0, the root, for none.

    Args:
        word: as in :class:`NgramModel`.
        first_child: as in :class:`NgramModel`.
        parents: [M], n-grams.
        words: [M], word ids.
    """
    low = first_child[parents].astype(np.int64)
    end = first_child[np.asarray(parents, np.int64) + 1].astype(np.int64)
    high = end.copy()
    for _ in range(int((end - low).max(initial=0)).bit_length()):  # bisection, in step
        middle = (low + high) >> 1
        right = (low < high) & (word[np.minimum(middle, len(word) - 1)] < words)
        low = np.where(right, middle + 1, low)
        high = np.where(right, high, middle)
    found = low < end
    found[found] = word[low[found]] == np.asarray(words)[found]
    return np.where(found, low, 0)


def link_suffixes(
    word: NDArray[np.uint32], first_child: NDArray[np.uint32], order: int
) -> NDArray[np.uint32]:
    """The array ``suffix`` of :class:`NgramModel`, from the trie."""
    levels = _levels(first_child, order)
    suffix = np.zeros(len(word), np.uint32)
    for level in range(2, order + 1):
        parents = np.arange(levels[level - 1], levels[level])
        sizes = np.diff(first_child[levels[level - 1] : levels[level] + 1])
        state = np.repeat(suffix[parents].astype(np.int64), sizes)
        own = np.arange(levels[level], levels[level + 1])
        open_ = np.arange(len(own))  # those whose suffix is not found yet
        while len(open_):
            at_root = state[open_] == 0
            wanted = word[own[open_]]
            found = np.where(
                at_root, 1 + wanted, find_children(word, first_child, state[open_], wanted)
            )
            suffix[own[open_]] = found
            open_ = open_[found == 0]
            state[open_] = suffix[state[open_]]
    return suffix


def _levels(first_child: NDArray[np.uint32], order: int) -> tuple[int, ...]:
    levels = [0]
    for _ in range(order + 1):
        levels.append(int(first_child[levels[-1]]))
    return tuple(levels)


def _find_fault(model: NgramModel) -> str | None:
    size = len(model.word)
    if model.order < 1:
        return "its order is below 1"
    if tuple(model.words[: len(SPECIAL_WORDS)]) != SPECIAL_WORDS:
        return f"its words don't begin with {', '.join(SPECIAL_WORDS)}"
    if len(model.log_prob) != size or len(model.suffix) != size or len(model.backoff) != model.top:
        return "its arrays differ in length"
    children = model.first_child.astype(np.int64)
    if len(children) != model.top + 1 or children[-1] != size or (np.diff(children) < 0).any():
        return "the n-grams' children overlap"
    levels = model.levels
    if levels[1] != 1 or levels[2] != 1 + len(model.words) or levels[-1] != size:
        return "its words and its n-grams don't agree"
    if model.top != levels[model.order]:
        return "the highest order begins elsewhere"
    if (model.word[1 : levels[2]] != np.arange(len(model.words))).any():
        return "its unigrams are not in the words' order"
    if (model.word >= len(model.words)).any():
        return "an n-gram has a word that there is not"
    parent = np.repeat(np.arange(model.top), np.diff(children))
    siblings = parent[1:] == parent[:-1]
    if (model.word[1:][1:][siblings] <= model.word[1:][:-1][siblings]).any():
        return "an n-gram stands twice or out of order"
    if not (np.isfinite(model.log_prob).all() and np.isfinite(model.backoff).all()):
        return "a probability or back-off is not a number"
    if (model.log_prob > 1e-4).any():
        return "a probability is above 1"
    for level in range(1, model.order + 1):
        suffix = model.suffix[levels[level] : levels[level + 1]]
        if (suffix >= levels[level]).any():
            return "an n-gram's suffix is not shorter than itself"
    if (model.suffix[1 : levels[2]] != 0).any():
        return "a unigram's suffix is not the root"
    if (model.word[model.suffix[levels[2] :]] != model.word[levels[2] :]).any():
        return "an n-gram ends otherwise than its suffix"
    return None
