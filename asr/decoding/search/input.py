"""The input of the compiled search, built from lexicon, language model, hot words and options."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr.decoding.hotwords import HotWords
from asr.decoding.lexicon_tree import LexiconTree
from asr.decoding.options import BeamOptions
from asr.decoding.search.records import (
    NODE,
    ROOT,
    HotwordArrays,
    LexiconArrays,
    SearchInput,
    SearchSettings,
)
from asr.decoding.word_boundaries import Boundaries
from asr.errors import AsrError
from asr.ngram.lookup import NgramArrays
from asr.ngram.model import EOS, NEVER, UNK, NgramModel
from asr.tokenizers.tokenizer import Tokenizer, UnrepresentableText

_LIMIT = 200.0  # of look-aheads, so that their exponentials stay numbers


def with_words(tree: LexiconTree, phrases: Iterable[str], tokenizer: Tokenizer) -> LexiconTree:
    """The tree with the words of ``phrases`` added that it lacks."""
    words = dict.fromkeys(word for phrase in phrases for word in phrase.split())
    lacking = [word for word in words if word not in tree.number]
    if not lacking:
        return tree
    try:
        return tree.with_entries([(word, tokenizer.encode(word), 0.0) for word in lacking])
    except UnrepresentableText as error:
        raise AsrError(f"a hot word can't be spelled: {error}") from None


def check(tree: LexiconTree, units: int, separator: int) -> None:
    """Raises an AsrError if the tree has units that the model lacks, or the separator."""
    highest = int(tree.unit.max())
    if highest >= units:
        raise AsrError(f"the lexicon has a unit {highest}, the model only {units}: they don't fit")
    if separator and separator in tree.unit:
        raise AsrError("the lexicon spells a word with the unit that stands between words")


def build_input(
    tree: LexiconTree,
    lm: NgramModel | None,
    hot: HotWords,
    options: BeamOptions,
    boundaries: Boundaries,
    units: int,
    *,
    spelled: bool,
) -> SearchInput:
    """The input of the compiled search.

    Args:
        tree: the words.
        lm: the language model.
        hot: the hot words.
        options: widths, thresholds and weights.
        boundaries: how the units mark words.
        units: the number of units.
        spelled: whether words are spelled freely, for want of a lexicon.
    """
    spelling = spelled or options.open_vocabulary
    ngrams = _ngram_arrays(lm)
    lm_weight = options.lm_weight * math.log(10) if lm else 0.0
    bonus = options.word_bonus if lm else 0.0
    penalty = 0.0 if spelled else options.unknown_penalty
    ids = np.array([lm.word_id(word) for word in tree.words] if lm else [0] * len(tree.words))
    lm_word = ids.astype(np.int32)

    tree = _without_twins(tree, lm_word, hot)
    if lm and not spelled:
        lacking = np.where(lm_word[tree.word] == UNK, lm_weight * _rarer(lm), 0.0)
        tree = replace(tree, log_weight=tree.log_weight + lacking.astype(np.float32))
    unigram = ngrams.log_prob[1 + lm_word].astype(np.float64)
    by_word = lm_weight * unigram + bonus + hot.first_gain()[: len(lm_word)]
    unknown = lm_weight * float(ngrams.log_prob[1]) + bonus + penalty
    ahead = tree.best_below(by_word[tree.word] + tree.log_weight)
    if spelling:
        ahead = np.maximum(ahead, unknown)
    ahead = ahead.clip(-_LIMIT, _LIMIT)
    ahead[ROOT] = 0.0

    begins = np.zeros(units, bool)
    if not boundaries.separator:
        begins[list(boundaries.starts) if spelling else slice(None)] = True
    lexicon = _lexicon_arrays(tree, ahead, lm_word, begins)
    greatest_step = float(lexicon.node["step"][:-1].max())
    settings = SearchSettings(
        options.beam_size,
        math.exp(-options.beam_threshold),
        options.token_threshold,
        math.exp(-options.least_recombined),
        lm_weight,
        bonus,
        penalty,
        math.exp(min(unknown, _LIMIT)),
        max(1.0, greatest_step, math.exp(min(unknown, _LIMIT)) if spelling else 0.0),
        max(1, int(np.diff(tree.first_word).max())),
        boundaries.separator,
        spelling,
        lm.start if lm else 0,
        lm.top if lm else 1,
    )
    automaton = HotwordArrays(
        hot.first_child, hot.word, hot.fallback, hot.earned, hot.credit, hot.root_child
    )
    return SearchInput(
        LexiconArrays(*[_read_only(array) for array in lexicon]),
        NgramArrays(*[_read_only(array) for array in ngrams]),
        HotwordArrays(*[_read_only(array) for array in automaton]),
        settings,
    )


def _lexicon_arrays(
    tree: LexiconTree,
    ahead: NDArray[np.float64],
    lm_word: NDArray[np.int32],
    begins: NDArray[np.bool_],
) -> LexiconArrays:
    """The tree with the look-ahead ``ahead`` (natural logarithm, of each node) in its weights."""
    step = np.ones(len(ahead))
    step[1:] = np.exp(ahead[1:] - np.repeat(ahead, np.diff(tree.first_child)))
    weight = tree.log_weight - np.repeat(ahead, np.diff(tree.first_word))
    root_child = np.zeros(len(begins), np.int32)
    children = np.arange(tree.first_child[0], tree.first_child[1])
    root_child[tree.unit[children]] = children
    node = np.zeros(len(step) + 1, NODE)
    node["unit"][:-1], node["step"][:-1] = tree.unit, step
    node["first_child"], node["first_word"] = tree.first_child, tree.first_word
    return LexiconArrays(
        node,
        np.exp(-ahead),
        tree.word,
        np.exp(weight.astype(np.float64)),
        lm_word,
        root_child,
        begins,
    )


def _ngram_arrays(lm: NgramModel | None) -> NgramArrays:
    """The arrays of the model; without one, of a model in which everything is certain."""
    if lm is not None:
        return NgramArrays(lm.word, lm.log_prob, lm.backoff, lm.first_child, lm.suffix)
    none = np.zeros(EOS + 2, np.uint32)
    return NgramArrays(
        none, none.astype(np.float32), none.astype(np.float32), np.append(none, none[:1]), none
    )


def _rarer(lm: NgramModel) -> float:
    """log10 of the probability of the rarest word, by that of <unk>; at most 0."""
    unigrams = lm.log_prob[1 : 1 + len(lm.words)]
    rarest = unigrams.min(where=unigrams > NEVER, initial=unigrams[UNK])
    return float(rarest - unigrams[UNK])


def _without_twins(tree: LexiconTree, lm_word: NDArray[np.int32], hot: HotWords) -> LexiconTree:
    """The tree without homophones that neither language model nor hot words tell apart."""
    favoured = np.zeros(len(lm_word), bool)
    favoured[hot.word[1:]] = True
    node = np.repeat(np.arange(len(tree.unit)), np.diff(tree.first_word))
    plain = (lm_word[tree.word] == UNK) & ~favoured[tree.word]
    first = np.zeros(len(node), bool)
    _, index = np.unique(node[plain], return_index=True)
    first[np.flatnonzero(plain)[index]] = True
    kept = first | ~plain
    if kept.all():
        return tree
    first_word = np.zeros(len(tree.unit) + 1, np.int32)
    np.cumsum(np.bincount(node[kept], minlength=len(tree.unit)), out=first_word[1:])
    return replace(
        tree, first_word=first_word, word=tree.word[kept], log_weight=tree.log_weight[kept]
    )


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    """A read-only plain view: one type for the compiler, in memory or mapped from a file."""
    view = np.require(np.asarray(array), requirements=["C", "A"]).view()
    view.flags.writeable = False
    return view
