"""N-gram language models: training, pruning, files, perplexity."""

from asr.lm.files import load, save
from asr.lm.ngram import NgramModel

__all__ = ["NgramModel", "load", "save"]
