"""scripts/prepare_books: from files of books to sentences in normal form."""

import hashlib
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import numpy as np
import pytest

from asr.corpora import held_out

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "prepare_books"
HELD_OUT = "SHE HAD NEVER SEEN THE OLD HARBOUR SO FULL OF SHIPS"
BOOK = """\
The Project Gutenberg EBook of Nothing, by Nobody

*** START OF THIS PROJECT GUTENBERG EBOOK NOTHING ***

Produced by Somebody and the Online Team.

CHAPTER I.

Mr. Smith and Mrs
Brown--of St. Paul's--said: “It’s _late_.” Then he went
home.[1] 'Tis the cat's; the boys' dog ran, café or no.

    1  2  3  4
    5  6  7  8

Paris, 12.
Rome, 45, 67.

No. I never saw it. J. B. Priestley came.

*** END OF THIS PROJECT GUTENBERG EBOOK NOTHING ***

This file should be named nothing.txt.
"""


@pytest.fixture(scope="module")
def books():
    loader = SourceFileLoader("prepare_books", str(SCRIPT))
    module = module_from_spec(spec_from_loader("prepare_books", loader))
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    loader.exec_module(module)
    sys.dont_write_bytecode = before
    return module


def digest(words):
    return int.from_bytes(hashlib.blake2b(words.encode(), digest_size=8).digest(), "little")


def test_a_book_becomes_sentences(books):
    assert books.sentences(BOOK) == [
        "CHAPTER ONE",
        "MISTER SMITH AND MISSUS BROWN OF SAINT PAUL'S SAID IT'S LATE",
        "THEN HE WENT HOME",
        "TIS THE CAT'S THE BOYS DOG RAN CAFE OR NO",
        "I NEVER SAW IT",
        "J B PRIESTLEY CAME",
    ]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("In 1805 he came.", "IN EIGHTEEN OH FIVE HE CAME"),
        ("It was 1,805 miles.", "IT WAS ONE THOUSAND EIGHT HUNDRED AND FIVE MILES"),
        ("The 21st of May it was.", "THE TWENTY FIRST OF MAY IT WAS"),
        ("He paid $1,500 and £5 million.", None),
        ("King Henry VIII. was a king.", "KING HENRY THE EIGHTH WAS A KING"),
        ("See Chapter XIV. of this.", "SEE CHAPTER FOURTEEN OF THIS"),
        ("The 1850s and the rest, etc., came.", "THE EIGHTEEN FIFTIES AND THE REST ET CETERA CAME"),
        ("He wrote § and Ω.", ""),
    ],
)
def test_numbers_are_spelled(books, written, said):
    if said is None:
        said = "HE PAID ONE THOUSAND FIVE HUNDRED DOLLARS AND FIVE MILLION POUNDS"
    filler = "And so they lived for a long time in that house by the sea, as they had before" * 3
    lines = books.sentences(f"{written} {filler}.")
    assert " ".join(lines[:-1]) == said


def test_hashes_are_blake2b():
    text = f"{HELD_OUT} {'X' * 140} {HELD_OUT} "
    data = np.frombuffer(text.encode(), np.uint8)
    starts = np.concatenate([[0], np.flatnonzero(data == ord(" ")) + 1])
    for size in (1, 4, 8):
        begin, end = starts[:-size], starts[size:] - 1
        hashes = np.empty(len(begin), np.uint64)
        held_out.hash_stretches(data, begin, end, held_out._IV, held_out._SIGMA, hashes)
        for place, found in enumerate(hashes.tolist()):
            stretch = text[begin[place] : end[place]]
            if len(stretch) <= 128:
                assert found == digest(stretch)


def test_what_is_held_out_is_left_out(tmp_path):
    words = HELD_OUT.split()
    keys = [digest(" ".join(words[i : i + 8])) for i in range(len(words) - 7)]
    np.save(tmp_path / "held.npy", np.array([*keys, digest("HE WENT HOME AGAIN")], np.uint64))
    folder = tmp_path / "books"
    folder.mkdir()
    shared = "She had never seen the old harbour so full of ships. "
    (folder / "a.txt").write_text(f"One sentence here. {shared}He went home again. That is all.")
    (folder / "b.txt").write_text(f"{shared * 3}Nothing else is in this book.")
    out = tmp_path / "out.txt"
    command = [SCRIPT, f"x/y={folder}", "-o", out, "--held-out", tmp_path / "held.npy"]
    done = subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert out.read_text().splitlines() == ["ONE SENTENCE HERE", "THAT IS ALL"]
    assert "shared with held-out transcripts: 1" in done.stdout
