"""asr prepare: manifests of corpora."""

from __future__ import annotations

import argparse

from asr.corpora.folder import prepare as prepare_folder
from asr.corpora.librispeech import prepare as prepare_librispeech
from asr.corpora.named import prepare as prepare_named
from asr.corpora.summary import print_summary
from asr.runtime.progress import console


def librispeech(options: argparse.Namespace) -> int:
    """Manifests of a corpus in LibriSpeech's layout."""
    summaries = prepare_librispeech(
        options.root, options.subset, options.output, download=options.download
    )
    for summary in summaries:
        print_summary(summary, console)
    return 0


def folder(options: argparse.Namespace) -> int:
    """A manifest of a folder with transcripts."""
    summary = prepare_folder(options.folder, options.output, table=options.table, name=options.name)
    print_summary(summary, console)
    return 0


def named(options: argparse.Namespace) -> int:
    """A manifest of a corpus that is known by name."""
    summary = prepare_named(
        options.corpus, options.root, options.output, subsets=options.subset, name=options.name
    )
    print_summary(summary, console)
    return 0
