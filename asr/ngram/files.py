"""Loads and saves language models: ARPA, or the project's binary format."""

from __future__ import annotations

from pathlib import Path

from asr.ngram.arpa import EXTENSIONS as ARPA
from asr.ngram.arpa import read_arpa, write_arpa
from asr.ngram.binary import is_binary, read_binary, write_binary
from asr.ngram.model import NgramModel


def load(path: str | Path) -> NgramModel:
    """Loads a model from a file in the project's binary form or in ARPA's, gzipped or not.

    Raises:
        AsrError: the file can't be read, or is damaged or no language model.
    """
    path = Path(path)
    return read_binary(path) if is_binary(path) else read_arpa(path)


def save(model: NgramModel, path: str | Path, *, exact: bool = False) -> None:
    """Writes a model: as ARPA if the name ends in .arpa or .arpa.gz, else in the binary form.

    Args:
        model: the model.
        path: the file.
        exact: write the binary form with every bit, for the memory map, instead of compact.
    """
    path = Path(path)
    if path.name.endswith(ARPA):
        write_arpa(model, path)
    else:
        write_binary(model, path, exact=exact)
