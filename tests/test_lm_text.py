import gzip
import io
import lzma
import sys
from pathlib import Path

import numpy as np
import pytest

from asr.corpora import text_blocks as reading
from asr.corpora.manifest import Utterance, write_manifest
from asr.corpora.text_blocks import STDIN, read_blocks
from asr.errors import AsrError
from asr.ngram.model import EOS
from asr.ngram.vocabulary import choose_words, read_corpus

WALDEN = (
    "When I wrote the following pages, or rather the bulk of them,\n"
    "I lived alone, in the woods - a mile from any neighbor!\n"
    "\n"
    "IN A HOUSE WHICH I HAD BUILT MYSELF ON THE SHORE OF WALDEN POND\n"
    "  it’s  “'tis”\tnaïve \n"
    "\n\n"
    "AND ' EARNED MY LIVING\r\n"
    "by the labor of my hands only"
)
LINES = [
    "WHEN I WROTE THE FOLLOWING PAGES OR RATHER THE BULK OF THEM",
    "I LIVED ALONE IN THE WOODS A MILE FROM ANY NEIGHBOR",
    "IN A HOUSE WHICH I HAD BUILT MYSELF ON THE SHORE OF WALDEN POND",
    "IT'S 'TIS NAIVE",
    "AND EARNED MY LIVING",
    "BY THE LABOR OF MY HANDS ONLY",
]


def lines_of(*paths):
    blocks = "".join(read_blocks([Path(path) for path in paths], "reading"))
    return [line for line in blocks.split("\n") if line]


def test_brings_text_into_the_normal_form(tmp_path):
    (tmp_path / "a.txt").write_text(WALDEN, newline="")
    assert lines_of(tmp_path / "a.txt") == LINES


@pytest.mark.parametrize("block", [1, 7, 64])
def test_blocks_end_with_lines(tmp_path, monkeypatch, block):
    monkeypatch.setattr(reading, "_BLOCK", block)
    (tmp_path / "a.txt").write_text(WALDEN, newline="")
    assert lines_of(tmp_path / "a.txt") == LINES


def test_reads_compressed_files_and_a_byte_order_mark(tmp_path):
    data = WALDEN.encode("utf-8-sig")
    (tmp_path / "a.gz").write_bytes(gzip.compress(data))
    (tmp_path / "a.xz").write_bytes(lzma.compress(data))
    (tmp_path / "a.md").write_bytes(data)
    assert lines_of(tmp_path / "a.gz", tmp_path / "a.xz", tmp_path / "a.md") == 3 * LINES


def test_reads_standard_input_and_manifests(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(WALDEN.encode())))
    write_manifest(tmp_path / "m.jsonl", [Utterance("a.wav", 1.0, "It's me!", "a")])
    assert lines_of(STDIN, tmp_path / "m.jsonl") == [*LINES, "IT'S ME"]


def test_says_what_is_wrong_with_a_file(tmp_path):
    path = tmp_path / "text"
    with pytest.raises(AsrError, match="text does not exist"):
        lines_of(path)
    with pytest.raises(AsrError, match="is a folder"):
        lines_of(tmp_path)
    path.write_bytes("größer".encode("latin-1"))
    with pytest.raises(AsrError, match="text is not UTF-8 text; save it as UTF-8"):
        lines_of(path)
    path.write_bytes("WALDEN".encode("utf-16"))
    with pytest.raises(AsrError, match="is not UTF-8 text"):
        lines_of(path)
    for suffix, data in (
        (".gz", gzip.compress(b"A\n" * 999)),
        (".xz", lzma.compress(b"A\n" * 999)),
    ):
        path = tmp_path / f"text{suffix}"
        for damaged in (data[:-9], data[:20] + b"\0\1\2" + data[23:], b"plain text, no archive"):
            path.write_bytes(damaged)
            with pytest.raises(AsrError, match=f"{suffix} is damaged or cut short"):
                lines_of(path)


def test_a_corpus_is_sentences_of_ids(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text(WALDEN, newline="")
    (tmp_path / "b.txt").write_text("\n\nTHE WOODS")
    monkeypatch.setattr(reading, "_BLOCK", 50)
    corpus = read_corpus([tmp_path / "a.txt", tmp_path / "b.txt"])
    words = [corpus.words[index] for index in corpus.ids]
    assert " ".join(words) == "".join(f"{line} </s> " for line in [*LINES, "THE WOODS"]).rstrip()
    np.testing.assert_array_equal(corpus.counts, np.bincount(corpus.ids, minlength=3))
    own = corpus.with_vocabulary(["<unk>", "<s>", "</s>", "THE", "WOODS", "NEVER"])
    assert own.counts.tolist() == [corpus.counts[3:].sum() - 8, 0, 7, 6, 2, 0]
    assert own.ids[-3:].tolist() == [3, 4, EOS]


def test_no_word_at_all(tmp_path):
    (tmp_path / "a.txt").write_text("\n - \n\n")
    with pytest.raises(AsrError, match=r"no word in .*a\.txt"):
        read_corpus([tmp_path / "a.txt"])


def test_chooses_the_most_frequent_words_that_can_be_spelled(tmp_path):
    (tmp_path / "a.txt").write_text("b a 42 42 42\na c c c é\nd λ λ\n")
    corpus = read_corpus([tmp_path / "a.txt"])
    special = ["<unk>", "<s>", "</s>"]
    assert choose_words(corpus, 3) == [*special, "C", "A", "B"]
    assert choose_words(corpus, 99) == [*special, "C", "A", "B", "D", "E"]
    assert choose_words(corpus, 0, ["X", "D", "C", "<s>"]) == [*special, "C", "D", "X"]
