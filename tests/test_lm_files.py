import gzip
import random
import struct
from itertools import islice
from pathlib import Path
from pydoc_data.topics import topics  # real English that comes with Python

import numpy as np
import pytest

from asr.errors import AsrError
from asr.ngram import load, save
from asr.ngram.estimation import train
from asr.ngram.model import BOS, NEVER
from asr.ngram.perplexity import measure
from asr.text import normalise

SHARED = Path(__file__).resolve().parents[2] / "shared"
TRANSCRIPTS = SHARED / "librispeech" / "LibriSpeech"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is not there")
ARRAYS = ("word", "log_prob", "backoff", "first_child", "suffix")

ARPA = """made by hand, the way SRILM and others write them

\\data\\
ngram 1=6
ngram  2 = 4
ngram 3=3

\\1-grams:
-1.0 </s>
-99\t<s>\t-0.5
-0.5\tTHE\t-0.4
-0.75\tCAT
-0.9   SAT\t-0.3
-1.5\tA'BODY\t0

\\2-grams:
-0.25\t<s> THE\t-0.125
-0.5\tTHE CAT -0.25
-0.6\tCAT SAT
-0.7\tSAT </s>

\\3-grams:
-0.1\tTHE CAT SAT
-0.2\t<s> THE A'BODY
-0.3\tA'BODY THE </s>

\\end\\
"""


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    lines = [normalise(line) for name in sorted(topics)[:12] for line in topics[name].split("\n")]
    path = tmp_path_factory.mktemp("text") / "topics.txt"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


@pytest.fixture(scope="module")
def model(text):
    return train([text], max_ngrams=8000)


def transcripts(subset):
    files = sorted((TRANSCRIPTS / subset).glob("*/*/*.trans.txt"))
    return [line.split(" ", 1)[1] for file in files for line in file.read_text().splitlines()]


def write(path, content):
    path.write_text(content)
    return path


def test_reads_arpa_as_others_write_it(tmp_path):
    model = load(write(tmp_path / "hand.arpa", ARPA))
    model.validate()
    # "<s> THE A'BODY" and "A'BODY THE </s>" lack a suffix or a context; three bigrams came back.
    assert model.counts == (7, 7, 3)
    assert model.words[:4] == ["<unk>", "<s>", "</s>", "THE"]
    assert model.score_sentence(["THE", "CAT", "SAT"]) == pytest.approx([-0.25, -0.625, -0.1, -0.7])
    assert model.score_sentence(["THE", "A'BODY", "THE"]) == pytest.approx(
        [-0.25, -0.2, -0.5, -0.3]
    )
    assert model.score_sentence(["DOG", "CAT"]) == pytest.approx([-100.5, -0.75, -1.0])


def test_a_word_of_the_highest_order_leaves_its_suffix_as_state(tmp_path):
    model = load(write(tmp_path / "hand.arpa", ARPA))
    the, cat, sat = map(model.word_id, ("THE", "CAT", "SAT"))
    _, state = model.score(model.start, the)
    _, state = model.score(state, cat)
    assert model.levels[2] <= state < model.top
    score, state = model.score(state, sat)
    assert score == pytest.approx(-0.1)
    assert (model.word[state], model.word[model.suffix[state]]) == (sat, sat)
    assert model.score(state, cat) == (pytest.approx(-0.3 - 0.75), 1 + cat)


@pytest.mark.parametrize("name", ["a.arpa", "a.arpa.gz", "a.lm"])
def test_written_and_read_again_it_says_the_same(model, text, tmp_path, name):
    save(model, tmp_path / name, exact=name == "a.lm")
    again = load(tmp_path / name)
    again.validate()
    assert again.counts == model.counts
    for line in text.read_text().splitlines()[:300]:
        words = [*line.split(), "XYLOPHONE", "THE"]
        assert again.score_sentence(words) == pytest.approx(model.score_sentence(words), abs=3e-6)


def test_the_exact_form_keeps_every_bit_where_it_lies(model, tmp_path):
    save(model, tmp_path / "a.lm", exact=True)
    again = load(tmp_path / "a.lm")
    assert list(again.words) == list(model.words)
    assert (again.order, again.top) == (model.order, model.top)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(again, name), getattr(model, name))
        assert not getattr(again, name).flags.owndata
        assert getattr(again, name).ctypes.data % 64 == 0


@pytest.mark.parametrize(
    "settings",
    [{"order": 1}, {"order": 2}, {"order": 4, "prune": [0, 0, 1]}, {"vocabulary": 3}],
)
def test_the_compact_form_rounds_logarithms_and_nothing_else(text, tmp_path, settings):
    model = train([text], **settings)
    save(model, tmp_path / "a.lm")
    again = load(tmp_path / "a.lm")
    again.validate()
    assert list(again.words) == list(model.words)
    assert (again.order, again.top) == (model.order, model.top)
    for name in ("word", "first_child", "suffix"):
        np.testing.assert_array_equal(getattr(again, name), getattr(model, name))
    for name in ("log_prob", "backoff"):
        np.testing.assert_allclose(getattr(again, name), getattr(model, name), atol=0.0201)
    exact, rounded = measure(model, [text]), measure(again, [text])
    assert rounded.with_unknown == pytest.approx(exact.with_unknown, rel=0.005)


def test_the_compact_form_keeps_backoffs_of_what_has_no_children(tmp_path):
    arpa = ARPA.replace("CAT SAT\n", "CAT SAT\t-0.8\n", 1)
    model = load(write(tmp_path / "hand.arpa", arpa))
    save(model, tmp_path / "hand.lm")
    np.testing.assert_allclose(load(tmp_path / "hand.lm").backoff, model.backoff, atol=0.0201)


def test_the_compact_form_is_small(model, tmp_path):
    save(model, tmp_path / "a.lm")
    save(model, tmp_path / "b.lm", exact=True)
    size = (tmp_path / "a.lm").stat().st_size
    assert size < 3 * len(model.word) + 8 * len(model.words) + 2000
    assert 6 * size < (tmp_path / "b.lm").stat().st_size


@pytest.mark.parametrize("exact", [True, False])
def test_a_damaged_binary_is_one_sentence(model, tmp_path, exact):
    path = tmp_path / "a.lm"
    save(model, path, exact=exact)
    data = path.read_bytes()
    rng = random.Random(7)
    places = [*range(8, 36), *(rng.randrange(36, len(data)) for _ in range(20)), len(data) - 1]
    damaged = [data[:p] + bytes([data[p] ^ 0x10]) + data[p + 1 :] for p in places]
    damaged += [data[:length] for length in (8, 9, 31, 32, 50, len(data) // 2, len(data) - 1)]
    damaged += [data + b"\0"]
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(AsrError, match=r"a\.lm is damaged or cut short"):
            load(path)
    path.write_bytes(data[:7] + b"9" + data[8:])
    with pytest.raises(AsrError, match="of another version of asr"):
        load(path)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("\\end\\", "", "cut short"),
        ("-0.3\tA'BODY THE </s>\n\n\\end\\\n", "", "cut short"),
        ("ngram 3=3", "ngram 3=2", r"line 25 should be '\\end\\'"),
        ("ngram 3=3", "ngram 3=9", "line 26 is no 3-gram"),
        ("\\2-grams:", "\\3-grams:", r"line 16 should be '\\2-grams:'"),
        ("-0.5\tTHE CAT", "-0.5\tTHE DOG", "'DOG'"),
        ("-0.5\tTHE CAT", "minus\tTHE CAT", "minus"),
        ("-0.5\tTHE CAT", "nan\tTHE CAT", "not a number"),
        ("-0.5\tTHE CAT", "0.5\tTHE CAT", "above 1"),
        ("CAT SAT\n", "THE CAT\n", "'THE CAT' stands twice"),
        ("\tCAT\n", "\tTHE\n", "stands twice"),
        ("-1.0 </s>", "-1.0 <\\s>", "lack </s>"),
        ("ngram 1=6\nngram  2 = 4\nngram 3=3\n", "", "how many unigrams"),
        (ARPA, "MISTER QUILTER IS THE APOSTLE\n", "is no language model"),
        (ARPA, "", "is no language model"),
    ],
)
def test_a_damaged_arpa_is_one_sentence(tmp_path, old, new, fault):
    assert old in ARPA
    path = write(tmp_path / "bad.arpa", ARPA.replace(old, new, 1))
    with pytest.raises(AsrError, match=fault) as error:
        load(path)
    assert "bad.arpa" in str(error.value)


MINUS_INF = """\\data\\
ngram 1=5
ngram 2=3

\\1-grams:
-inf\t<s>\t-0.3
-1.2\t</s>
-1.5\t<unk>
-0.9\tTHE\t-0.2
-1.1\tBOAT\t-0.1

\\2-grams:
-0.4\t<s> THE
-0.5\tTHE BOAT
-0.3\tBOAT </s>

\\end\\
"""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda arpa: arpa, "THE BOAT"),
        (lambda arpa: "\ufeff" + arpa, "THE BOAT"),
        (lambda arpa: arpa.replace("-inf", "-Infinity"), "THE BOAT"),
        (lambda arpa: arpa.replace("\n", "\r\n"), "THE BOAT"),
        (lambda arpa: arpa.replace("\t", "  "), "THE BOAT"),
        (lambda arpa: arpa.replace("BOAT", "LE\u00a0BOAT"), "THE LE\u00a0BOAT"),
        (lambda arpa: arpa.replace("BOAT", "B\u3000T\u2028"), "THE B\u3000T\u2028"),
        (lambda arpa: arpa.replace("BOAT", "B\x85T\x1c"), "THE B\x85T\x1c"),
    ],
)
def test_arpa_files_are_read_as_kenlm_and_srilm_read_them(tmp_path, change, words):
    """KenLM: perplexity 3.9811 of "THE BOAT" and "THE"."""
    path = tmp_path / "a.arpa"
    path.write_bytes(change(MINUS_INF).encode())
    for exact in (True, False):
        save(load(path), tmp_path / "a.lm", exact=exact)
        model = load(tmp_path / "a.lm")
        assert model.log_prob[1 + BOS] == NEVER
        assert all(map(model.word_id, words.split(" ")))
        scores = model.score_sentence(words.split(" ")) + model.score_sentence(["THE"])
        perplexity = 10 ** -np.mean(scores)
        assert perplexity == pytest.approx(3.9811, abs=0.0001 if exact else 0.1)


def test_a_backoff_of_minus_infinity_rules_out_what_follows(tmp_path):
    arpa = MINUS_INF.replace("THE\t-0.2", "THE\t-inf")
    model = load(write(tmp_path / "a.arpa", arpa))
    assert model.score_sentence(["THE", "THE"])[1] == pytest.approx(NEVER - 0.9)
    with pytest.raises(AsrError, match="not a number"):
        load(write(tmp_path / "b.arpa", MINUS_INF.replace("-0.9", "-nan")))


def test_files_that_are_none(model, tmp_path):
    with pytest.raises(AsrError, match=r"no\.lm does not exist"):
        load(tmp_path / "no.lm")
    with pytest.raises(AsrError, match="is a folder"):
        load(tmp_path)
    (tmp_path / "a.lm").write_bytes(struct.pack("100d", *range(100)))
    with pytest.raises(AsrError, match=r"a\.lm"):
        load(tmp_path / "a.lm")
    save(model, tmp_path / "a.arpa.gz")
    data = (tmp_path / "a.arpa.gz").read_bytes()
    for damaged in (data[: len(data) // 2], data[:-4], b"no archive"):
        (tmp_path / "a.arpa.gz").write_bytes(damaged)
        with pytest.raises(AsrError, match=r"a\.arpa\.gz is damaged or cut short"):
            load(tmp_path / "a.arpa.gz")


def scores_equal(arpa, model, lines):
    kenlm = pytest.importorskip("kenlm")
    reference = kenlm.Model(str(arpa))
    unknown = 0
    for line in lines:
        expected = [(score, missing) for score, _, missing in reference.full_scores(line)]
        unknown += sum(missing for _, missing in expected)
        difference = np.subtract(model.score_sentence(line.split()), [s for s, _ in expected])
        assert np.abs(difference).max() < 1e-4, line
    return unknown


@pytest.mark.parametrize("settings", [{"order": 2}, {"max_ngrams": 5000}, {"order": 5}])
def test_equals_kenlm(text, tmp_path, settings):
    model = train([text], vocabulary=600, **settings)
    save(model, tmp_path / "a.arpa")
    lines = [line for line in text.read_text().splitlines() if line]
    assert scores_equal(tmp_path / "a.arpa", model, lines) > 100


@needs_shared
def test_equals_kenlm_on_ten_thousand_sentences(tmp_path):
    import lzma

    source = tmp_path / "train.txt"
    source.write_text("".join(f"{line}\n" for line in transcripts("train-clean-5")))
    save(train([source]), tmp_path / "a.arpa.gz")
    model = load(tmp_path / "a.arpa.gz")
    (tmp_path / "a.arpa").write_bytes(gzip.decompress((tmp_path / "a.arpa.gz").read_bytes()))
    with lzma.open(SHARED / "text" / "books.txt.xz", "rt") as books:
        lines = [line.strip() for line in islice(books, 10_000)]
    assert scores_equal(tmp_path / "a.arpa", model, lines) > 10_000
