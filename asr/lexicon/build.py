"""A lexicon of pronunciations for the words of a list, a text or a language model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from asr.corpora.text_blocks import STDIN, read_blocks
from asr.errors import AsrError
from asr.lexicon.lexicon import Lexicon, Pronunciation
from asr.lexicon.pronouncer import Pronouncer, Source
from asr.ngram import load
from asr.ngram.arpa import EXTENSIONS as ARPA
from asr.ngram.binary import is_binary
from asr.ngram.model import SPECIAL_WORDS
from asr.runtime.progress import track


def read_words(path: Path) -> list[str]:
    """The different words of a language model, or of a text or list of words in normal form.

    Raises:
        AsrError: the file can't be read or holds no words.
    """
    if path != STDIN and (path.name.endswith(ARPA) or is_binary(path)):
        words = set(load(path).words)
    else:
        words = {word for block in read_blocks([path], "reading words") for word in block.split()}
    words -= set(SPECIAL_WORDS)
    if not words:
        raise AsrError(f"{path} holds no words")
    return sorted(words)


def build_lexicon(
    words: Sequence[str], pronouncer: Pronouncer, variants: int = 3
) -> tuple[Lexicon, dict[Source, list[str]]]:
    """Pronounces ``words``.

    Args:
        words: written into the lexicon as they are given.
        pronouncer: gives their pronunciations.
        variants: pronunciations at most of a word that is in no dictionary.

    Returns:
        The lexicon, without the words that have no pronunciation, and the words by the source of
        their pronunciations.
    """
    lexicon: dict[str, Sequence[Pronunciation]] = {}
    by_source: dict[Source, list[str]] = {source: [] for source in Source}
    for word in track(words, "pronouncing", len(words)):
        pronounced = pronouncer.pronounce(word, variants)
        by_source[pronounced.source].append(word)
        if pronounced.pronunciations:
            lexicon[word] = pronounced.pronunciations
    return Lexicon(lexicon), by_source
