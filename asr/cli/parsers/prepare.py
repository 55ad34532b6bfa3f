"""Options of asr prepare."""

from __future__ import annotations

from pathlib import Path

from asr.cli.parsers.shared import Commands
from asr.corpora.catalogue import CORPORA


def add(commands: Commands) -> None:
    """Adds the command and its options."""
    prepare = commands.add_parser(
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
    librispeech.set_defaults(run="asr.cli.prepare:librispeech")

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
    folder.set_defaults(run="asr.cli.prepare:folder")

    for name, corpus in CORPORA.items():
        published = f" Published at {corpus.home}; {corpus.licence}." if corpus.home else ""
        named = corpora.add_parser(
            name,
            help=corpus.title,
            description=f"Write one manifest of {corpus.title}: {corpus.layout}.{published}",
            epilog=f"Example: asr prepare {name} corpora -o data/manifests",
        )
        named.add_argument("root", type=Path, help="the corpus's folder, or the one that holds it")
        named.add_argument(
            "--subset", nargs="+", metavar="NAME", help=f"{corpus.subsets} (default: all)"
        )
        named.add_argument("--name", help="of the manifest (default: corpus and subset)")
        named.add_argument("-o", "--output", type=Path, required=True, help="for the manifest")
        named.set_defaults(run="asr.cli.prepare:named", corpus=name)
