"""N-gram language models: training, pruning, files, perplexity."""

from asr.ngram.files import load, save
from asr.ngram.model import NgramModel

__all__ = ["NgramModel", "load", "save"]
