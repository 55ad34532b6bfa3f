"""Lexica: what words are made of, for decoders; and the pronunciations of English."""

from asr.lexicon.lexicon import Entry, Lexicon, Pronunciation, read_entries

__all__ = ["Entry", "Lexicon", "Pronunciation", "read_entries"]
