"""The data of the compiled search: flat arrays, and records of numbers.

Records rather than arrays of their fields, where all fields of one are needed at a time: a state of
the search is a cache line or two.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr.ngram.lookup import NgramArrays

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]
Records = NDArray[np.void]

ROOT = 0
NONE = -1

# Places in SearchMemory.counts.
FRAMES, STATES, HISTORIES, TOKENS, SPELLED, SETTLED, STAMP, NEEDED = range(8)


class LexiconArrays(NamedTuple):
    """The lexicon tree with the weights of its words; nodes from N on are spelled ones."""

    node: Records  # [N + 1] NODE, one more whose children and words are none
    inverse_look_ahead: Floats  # [N] for unknown words that end at the node
    word: Ints  # [E]
    weight: Floats  # [E] of the spelling, by the look-ahead of its node
    lm_word: Ints  # [W] the language model's id of each word
    root_child: Ints  # [U] the root's child by each unit, 0 for none
    begins: NDArray[np.bool_]  # [U] a word may begin with the unit where another ends


class HotwordArrays(NamedTuple):
    """The arrays of :class:`asr.decoding.hotwords.HotWords`."""

    first_child: Ints
    word: Ints
    fallback: Ints
    earned: Floats
    credit: Floats
    root_child: Ints


class SearchSettings(NamedTuple):
    """Numbers of the search; logarithms are natural unless stated otherwise."""

    beam_size: int
    narrowest: float  # a state's least probability, by that of the best
    token_threshold: float
    dominated: float  # a state's least probability, by that of the best with the same future
    lm_weight: float  # times log10 probabilities
    word_bonus: float
    unknown_penalty: float
    look_ahead: float  # of words spelled outside the tree, the factor
    greatest_step: float  # of look-ahead from a node to a child, at least 1
    most_words: int  # at one node
    separator: int  # 0: none
    spelling: bool  # words outside the lexicon may be spelled
    start: int  # the language model's state
    top: int  # its first n-gram of the highest order


NODE = np.dtype(
    [  # of the lexicon tree
        ("unit", np.int32),  # the last on the way to it; at the root the separator
        ("first_child", np.int32),
        ("first_word", np.int32),
        ("step", np.float64),  # its look-ahead by that of its parent
    ],
    align=True,
)
STATE = np.dtype(
    [  # of the search, alive or one that a frame leads to
        ("history", np.int32),
        ("node", np.int32),
        ("last", np.int32),  # the node's unit
        ("blank", np.float64),  # sum over alignments that end in a blank
        ("unit", np.float64),  # and over those that end in the node's unit
        ("best_blank", np.float64),  # the best of these alignments
        ("best_unit", np.float64),
        ("total", np.float64),
        ("token_blank", np.int32),  # the last token of the best alignments
        ("token_unit", np.int32),
        ("end", np.int32),  # the frame behind the last token of the best that ends in a blank
        ("fresh", np.int32),  # NONE, or that of the token before one that is yet to be noted
    ],
    align=True,
)
HISTORY = np.dtype(
    [  # a word sequence, by its last word; number 0 is the empty one
        ("parent", np.int32),
        ("word", np.int32),  # from W on: W + the node of an unknown word
        ("depth", np.int32),
        ("state", np.int32),  # the language model's
        ("hot", np.int32),  # the hot words' state
        ("gain", np.float64),  # the factor by which the word changes the probability
        ("lm", np.float64),  # log10 probability of the words
        ("extra", np.float64),  # bonus, boosts and penalties of the words, natural logarithm
    ],
    align=True,
)
TOKEN = np.dtype(
    [  # on best alignments
        ("parent", np.int32),
        ("unit", np.int32),
        ("frame", np.int32),  # of its emission
        ("before", np.int32),  # the frame behind the token before
        ("history", np.int32),  # the words before
        ("log_prob", np.float32),  # of the unit in that frame
    ],
    align=True,
)
SPELLING = np.dtype([("parent", np.int32), ("unit", np.int32)], align=True)  # outside the lexicon


class SearchInput(NamedTuple):
    """All that a search reads besides the frames."""

    lexicon: LexiconArrays
    lm: NgramArrays
    hot: HotwordArrays
    settings: SearchSettings


class SearchMemory(NamedTuple):
    """All that changes from frame to frame. Slots are open hash tables."""

    beam: Records  # [beam_size] STATE
    following: Records  # STATE, those that a frame leads to
    slots: NDArray[np.int64]  # of those by (history, node), each with the stamp of its frame
    histories: Records  # HISTORY
    history_slots: Ints  # of those by (parent, word)
    tokens: Records  # TOKEN
    spelled: Records  # SPELLING
    spelled_slots: Ints  # of those by (parent, unit)
    counts: NDArray[np.int64]  # [8] by the names above
    level: Floats  # [1] natural logarithm of the factor by which all probabilities were divided
    prob: Floats  # [U] of the units tried, 0 for others
    tried: Ints  # [U]


class Scratch(NamedTuple):
    """Room for one frame's intermediate results."""

    option: NDArray[np.int64]  # [U] units that can follow a state,
    option_child: NDArray[np.int64]  # [U] and the nodes they lead to within the word
    target: NDArray[np.int64]  # [most_words + 1] histories that a unit leads to,
    target_node: NDArray[np.int64]  # [most_words + 1] nodes
    gain: Floats  # [most_words + 1] and factors of the probability
    best_of: NDArray[np.int64]  # the likeliest state of each future, hashed as SearchMemory.slots,
    slot_of: NDArray[np.int64]  # and the slot of the future of each of SearchMemory.following
    ranked: Floats  # probabilities of those


class FinalHypotheses(NamedTuple):
    """The R word sequences that the beam ends with."""

    history: Ints  # [R]
    score: Floats  # [R] natural logarithm, of the sum over alignments, all weights included
    lm: Floats  # [R] log10, with the end of the sentence
    weights: Floats  # [R] natural logarithm, the part of the score besides the acoustics
    token: Ints  # [R] the last token of the best alignment
    end: Ints  # [R] the frame behind it


class WordSpans(NamedTuple):
    """The K words of all hypotheses, one hypothesis after the other."""

    first: NDArray[np.int64]  # [R + 1] where the words of each hypothesis begin
    word: Ints  # [K]
    start: Ints  # [K] frame of the first unit
    end: Ints  # [K] frame behind the last unit
    log_prob: Floats  # [K] mean of the units' log-probabilities where they are emitted
