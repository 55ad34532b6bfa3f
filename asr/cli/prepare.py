"""asr prepare: manifests of corpora."""

from __future__ import annotations

import argparse
from pathlib import Path

from asr.cli.options import Groups


def add(groups: Groups) -> None:
    """Its options."""
    prepare = groups.add_parser(
        "prepare",
        help="make manifests of a corpus",
        epilog="Example: asr prepare librispeech corpora/LibriSpeech -o data/manifests",
    )
    corpora = prepare.add_subparsers(required=True, metavar="CORPUS")

    librispeech = corpora.add_parser(
        "librispeech",
        help="a corpus in LibriSpeech's layout",
        description="Write one manifest for each subset, OUTPUT/SUBSET.jsonl.",
        epilog="Example: asr prepare librispeech corpora --subset train-clean-5 --download -o data",
    )
    librispeech.add_argument("root", type=Path, help="the folder that holds the subsets")
    librispeech.add_argument(
        "--subset", nargs="+", metavar="NAME", help="such as dev-clean (default: all there are)"
    )
    librispeech.add_argument(
        "--download", action="store_true", help="fetch what is missing from openslr.org"
    )
    librispeech.add_argument("-o", "--output", type=Path, required=True, help="for the manifests")
    librispeech.set_defaults(run=_librispeech)

    folder = corpora.add_parser(
        "folder",
        help="a folder of audio with .txt files or a table of transcripts",
        description="Write a manifest of a folder whose audio has transcripts beside it: "
        ".txt files of the same names, or a table (csv, tsv) such as Common Voice's or LJSpeech's.",
        epilog="Example: asr prepare folder common-voice --table train.tsv --name cv-train -o data",
    )
    folder.add_argument("folder", type=Path, help="searched with all folders below it")
    folder.add_argument("--table", type=Path, help="the table of transcripts, if there are several")
    folder.add_argument("--name", help="of the manifest (default: the table's or the folder's)")
    folder.add_argument("-o", "--output", type=Path, required=True, help="for the manifest")
    folder.set_defaults(run=_folder)


def _librispeech(options: argparse.Namespace) -> int:
    """Manifests of a corpus in LibriSpeech's layout."""
    from asr.corpora.librispeech import prepare
    from asr.corpora.summary import print_summary
    from asr.runtime.progress import console

    for summary in prepare(options.root, options.subset, options.output, download=options.download):
        print_summary(summary, console)
    return 0


def _folder(options: argparse.Namespace) -> int:
    """A manifest of a folder with transcripts."""
    from asr.corpora.folder import prepare
    from asr.corpora.summary import print_summary
    from asr.runtime.progress import console

    summary = prepare(options.folder, options.output, table=options.table, name=options.name)
    print_summary(summary, console)
    return 0
