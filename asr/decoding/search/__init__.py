"""The compiled part of the beam search: CTC prefix search over words (Hannun et al. 2014,
arXiv 1408.2873, algorithm 1, and Graves and Jaitly 2014).

Compiled by numba: it comes as a wheel wherever librosa does, so nobody needs a compiler; it keeps
machine code on disk, so only the first run on a machine waits for it; and it lets go of Python's
lock, so utterances are searched side by side in threads.

A *state* of the search is a word history and a node of the lexicon tree (or of the tree of words
spelled outside the lexicon). Its probability is the sum over all alignments that lead to it, in two
parts: of those that end in a blank and of those that end in the node's unit, because a repeated
unit is a new token only after a blank. States with different word histories are never joined, so
the hypotheses of the last frame are exact; pronunciations of a word are joined where the word ends.

Probabilities are not logarithms here but numbers, scaled back before they grow too small: a frame
then costs additions and multiplications, and one exponential for each unit tried. They carry the
weights of all words before, and within a word the *look-ahead*, the weight of the best word below
the node, which the word's own weight replaces at its end.

Beside each sum runs the probability of the best single alignment and its tokens, which give the
times.

The files, from the outside in: `input` builds what a search reads (lexicon, language model, hot
words, options) and `records` declares its arrays; `frames` reads frames one by one; `transitions`
finds the states that a frame leads to, `word_ends` those behind a finished word; `pruning` keeps
the best; `ending` closes the utterance; `compaction` frees memory; `hash_tables` finds states,
histories and spelled words.
"""

from asr.decoding.search.compaction import compact
from asr.decoding.search.ending import finish
from asr.decoding.search.frames import advance
from asr.decoding.search.hash_tables import rehash

__all__ = ["advance", "compact", "finish", "rehash"]
