"""Manifests of the corpora that are known by name (:mod:`asr.corpora.catalogue`)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from asr.corpora import arctic, common_voice, kaldi, ljspeech, vctk
from asr.corpora.candidates import Candidate, select_usable
from asr.corpora.catalogue import CORPORA
from asr.corpora.summary import Problem, Summary, make_folder, write_data_set
from asr.errors import AsrError


class Reader(Protocol):
    """A module that reads one layout."""

    def find_subsets(self, root: Path) -> list[str]:
        """The subsets in the corpus's folder; none where the folder has another layout."""

    def read_subset(self, root: Path, subset: str) -> tuple[list[Candidate], list[Problem]]:
        """The entries of one subset, and what can't be used."""


READERS: dict[str, Reader] = {
    "arctic": arctic,
    "common-voice": common_voice,
    "kaldi": kaldi,
    "ljspeech": ljspeech,
    "speechocean762": kaldi,
    "vctk": vctk,
}


def prepare(
    corpus: str,
    root: str | Path,
    output: str | Path,
    *,
    subsets: Sequence[str] | None = None,
    name: str | None = None,
) -> Summary:
    """Writes one manifest of a corpus.

    Args:
        corpus: a key of :data:`asr.corpora.catalogue.CORPORA`.
        root: the corpus's own folder, or one that holds it under its usual name.
        output: the folder for the manifest.
        subsets: speakers, tables or data directories, as the corpus has them; None: all of them.
        name: of the manifest; by default the corpus's, with the subset's behind it if there is
            one.

    Raises:
        AsrError: the corpus or a subset is not there, nothing of it can be used, or ``output``
            can't be written to.
    """
    reader, published = READERS[corpus], CORPORA[corpus]
    folder = find_root(corpus, [Path(os.path.abspath(root))])
    if folder is None:
        home = f"; it is published at {published.home}" if published.home else ""
        raise AsrError(f"{root} holds no {published.title} ({published.layout}){home}")
    known = reader.find_subsets(folder)
    missing = sorted(set(subsets or ()).difference(known))
    if missing:
        raise AsrError(f"{folder} has no subset {missing[0]}; it has {', '.join(known)}")
    make_folder(Path(output))
    entries: list[Candidate] = []
    problems: list[Problem] = []
    for subset in subsets or known:
        found, faults = reader.read_subset(folder, subset)
        entries += found
        problems += faults
    name = name or "-".join([corpus, *(subsets if subsets and len(subsets) == 1 else ())])
    utterances, unusable = select_usable(entries, name)
    return write_data_set(name, utterances, problems + unusable, Path(output))


def find_root(corpus: str, roots: Sequence[Path]) -> Path | None:
    """The first folder that holds the corpus: a root itself, or its usual folder in a root."""
    for root in roots:
        places = [
            root,
            *(path for pattern in CORPORA[corpus].folders for path in sorted(root.glob(pattern))),
        ]
        for place in places:
            if READERS[corpus].find_subsets(place):
                return place
    return None
