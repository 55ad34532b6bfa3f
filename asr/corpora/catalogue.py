"""Corpora that are known by name: their layout, their usual folders, where they are published."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Corpus:
    """A corpus as its publisher lays it out."""

    title: str
    layout: str
    subsets: str  # what its subsets are
    folders: tuple[str, ...] = ()  # patterns of its usual folders, seen from where corpora are kept
    home: str = ""
    licence: str = ""


CORPORA = {
    "arctic": Corpus(
        title="CMU Arctic",
        layout="cmu_us_SPEAKER_arctic/wav beside etc/txt.done.data",
        subsets="speakers",
        folders=("cmu_arctic", "arctic"),
        home="festvox.org/cmu_arctic",
        licence="free for any use",
    ),
    "common-voice": Corpus(
        title="Mozilla Common Voice, one language",
        layout="clips/ beside tables such as train.tsv",
        subsets="tables",
        folders=("common-voice", "cv-corpus-*/en", "cv-corpus-*"),
        home="commonvoice.mozilla.org",
        licence="CC0",
    ),
    "kaldi": Corpus(
        title="Kaldi data directories",
        layout="wav.scp, text and utt2spk",
        subsets="data directories",
    ),
    "ljspeech": Corpus(
        title="LJSpeech",
        layout="metadata.csv beside wavs/",
        subsets="none",
        folders=("LJSpeech-*",),
        home="keithito.com/LJ-Speech-Dataset",
        licence="public domain",
    ),
    "speechocean762": Corpus(
        title="speechocean762",
        layout="Kaldi data directories train and test",
        subsets="train and test",
        folders=("speechocean762",),
        home="openslr.org/101",
        licence="free for any use",
    ),
    "vctk": Corpus(
        title="VCTK",
        layout="txt/SPEAKER beside wav48/SPEAKER or wav48_silence_trimmed/SPEAKER",
        subsets="speakers",
        folders=("VCTK-Corpus*",),
        home="datashare.ed.ac.uk/handle/10283/3443",
        licence="ODC-By (CC BY 4.0 since version 0.92)",
    ),
}
