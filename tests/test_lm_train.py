"""Counting, smoothing and pruning, against a reference of plain dictionaries."""

import math
import random
import re
from collections import Counter, defaultdict
from pathlib import Path
from pydoc_data.topics import topics  # real English that comes with Python

import numpy as np
import pytest

from asr.errors import AsrError
from asr.ngram import counts as counting
from asr.ngram.counts import count_ngrams
from asr.ngram.estimation import train
from asr.ngram.kneser_ney import assemble, estimate
from asr.ngram.model import NgramModel
from asr.ngram.perplexity import measure
from asr.ngram.pruning import keep_frequent
from asr.ngram.vocabulary import choose_words, read_corpus

TRANSCRIPTS = Path(__file__).resolve().parents[2] / "shared" / "librispeech" / "LibriSpeech"
needs_shared = pytest.mark.skipif(not TRANSCRIPTS.is_dir(), reason="../shared is not there")
SENTENCES = [
    sentence
    for topic in sorted(topics)
    for paragraph in topics[topic].split("\n\n")
    for sentence in re.sub(r"[^A-Za-z' .]", " ", " ".join(paragraph.split())).split(". ")
    if len(sentence.split()) > 3
][:1500]


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "topics.txt"
    path.write_text("".join(f"{sentence}\n" for sentence in SENTENCES))
    return path


def sentences_of(path, words):
    from asr.text import normalise

    lines = [normalise(line).split() for line in path.read_text().splitlines()]
    known = set(words)
    return [[w if w in known else "<unk>" for w in line] for line in lines if line]


class Reference:
    """Interpolated modified Kneser-Ney, word by word as Chen and Goodman write it."""

    def __init__(self, sentences, words, order):
        self.order = order
        self.size = len(words) - 1
        raw = [Counter() for _ in range(order + 1)]
        for sentence in sentences:
            tokens = ("<s>", *sentence, "</s>")
            for n in range(1, order + 1):
                raw[n].update(tokens[i : i + n] for i in range(len(tokens) - n + 1))
        self.counts = raw
        for n in range(order - 1, 0, -1):
            adjusted = Counter(ngram[1:] for ngram in raw[n + 1])
            for ngram, count in raw[n].items():
                if ngram[0] == "<s>":
                    adjusted[ngram] = count
            self.counts[n] = adjusted
        self.counts[1][("<s>",)] = 0
        self.totals = [None]  # by order and context: all counts, and all discounts
        self.discounts = [None]
        for n in range(1, order + 1):
            t = Counter(self.counts[n].values())
            discounts = [0, 0.5, 1, 1.5]  # lmplz's for want of better
            if all(t[k] for k in (1, 2, 3, 4)):
                y = t[1] / (t[1] + 2 * t[2])
                own = [k - (k + 1) * y * t[k + 1] / t[k] for k in (1, 2, 3)]
                if all(0 <= d <= k for k, d in enumerate(own, 1)):
                    discounts = [0, *own]
            totals = defaultdict(lambda: [0, 0])
            for ngram, count in self.counts[n].items():
                totals[ngram[:-1]][0] += count
                totals[ngram[:-1]][1] += discounts[min(count, 3)]
            self.discounts.append(discounts)
            self.totals.append(totals)

    def prob(self, context, word):
        context = tuple(context)[max(0, len(context) - self.order + 1) :]
        n = len(context) + 1
        lower = self.prob(context[1:], word) if context else 1 / self.size
        if context not in self.totals[n]:
            return lower
        total, spared = self.totals[n][context]
        count = self.counts[n].get((*context, word), 0)
        return (count - self.discounts[n][min(count, 3)] + spared * lower) / total


def total_probability(model, state):
    """Of all words after a context."""
    return math.fsum(10 ** model.score(state, word)[0] for word in range(len(model.words)))


@pytest.mark.parametrize(
    ("order", "vocabulary"), [(1, 9999), (2, 500), (3, 9999), (3, 500), (4, 300)]
)
def test_equals_the_reference(text, order, vocabulary):
    model = train([text], order=order, vocabulary=vocabulary)
    model.validate()
    sentences = sentences_of(text, model.words)
    reference = Reference(sentences, model.words, order)
    assert model.counts[1:] == tuple(len(c) for c in reference.counts[2:])
    seen = random.Random(1).sample(sentences, 30)
    shuffled = [random.Random(i).sample(s, len(s)) for i, s in enumerate(seen)]
    for sentence in [*seen, *shuffled, ["<unk>", "THE", "<unk>"]]:
        tokens = ["<s>", *sentence, "</s>"]
        expected = [
            math.log10(reference.prob(tokens[:i], tokens[i])) for i in range(1, len(tokens))
        ]
        assert model.score_sentence(sentence) == pytest.approx(expected, abs=2e-6)


def test_small_blocks_and_narrow_keys_count_the_same(text, monkeypatch):
    corpus = read_corpus([text])
    corpus = corpus.with_vocabulary(choose_words(corpus, 1000))
    whole = count_ngrams(corpus, 4)
    monkeypatch.setattr(counting, "_BLOCK", 777)
    monkeypatch.setattr(counting, "_KEY_BITS", 21)  # two words of ten bits: then numbers
    for a, b in zip(whole, count_ngrams(corpus, 4), strict=True):
        for name in ("parent", "word", "suffix", "count", "at_start"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"vocabulary": 150},
        {"prune": [0, 1, 2]},
        {"max_ngrams": 700},
        {"max_ngrams": 60, "vocabulary": 100},
        {"max_ngrams": 400, "order": 4, "prune": [0, 0, 1]},
        {"max_ngrams": 1},
    ],
)
def test_probabilities_sum_to_one_in_every_context(text, settings, tmp_path):
    part = tmp_path / "part.txt"
    part.write_text("".join(f"{sentence}\n" for sentence in SENTENCES[:30]))
    model = train([part], **settings)
    model.validate()
    if "max_ngrams" in settings:
        assert sum(model.counts[1:]) == settings["max_ngrams"]
    for state in range(model.top):
        assert total_probability(model, state) == pytest.approx(1, abs=2e-5), state


def test_count_pruning_keeps_what_was_seen_often(text):
    corpus = read_corpus([text])
    words = choose_words(corpus, 9999)
    levels = count_ngrams(corpus.with_vocabulary(words), 4)
    kept = keep_frequent(levels, [0, 1])
    assert [k.sum() for k in kept] == [len(words), *((le.count > 1).sum() for le in levels[1:])]
    model = train([text], order=4, prune=[0, 1])
    assert model.counts == tuple(k.sum() for k in kept)


def test_rare_ngrams_are_summed_up(text):
    corpus = read_corpus([text])
    corpus = corpus.with_vocabulary(choose_words(corpus, 500))
    for order in (2, 3, 4):
        whole, *_ = count_ngrams(corpus, order)[::-1]
        often, *_ = count_ngrams(corpus, order, least=3)[::-1]
        kept = whole.count >= 3
        for name in ("parent", "word", "suffix", "count", "at_start"):
            np.testing.assert_array_equal(getattr(often, name), getattr(whole, name)[kept])
        for sums, name in ((often.rare.by_parent, "parent"), (often.rare.by_suffix, "suffix")):
            expected = np.bincount(
                getattr(whole, name)[~kept], whole.count[~kept], minlength=len(sums)
            )
            np.testing.assert_array_equal(sums, expected)
        assert often.rare.n.tolist() == [0, *((whole.count == n).sum() for n in (1, 2)), 0, 0, 0]


@pytest.mark.parametrize(("order", "prune"), [(2, [0, 1]), (3, [0, 0, 2]), (4, [0, 0, 1])])
def test_the_model_is_the_same_whether_rare_ngrams_are_listed_or_not(text, order, prune):
    model = train([text], order=order, prune=prune)
    corpus = read_corpus([text])
    words = choose_words(corpus, 9999)
    levels = count_ngrams(corpus.with_vocabulary(words), order)
    kept = keep_frequent(levels, prune)
    whole = assemble(words, levels, kept, estimate(levels, kept))
    np.testing.assert_array_equal(model.word, whole.word)
    np.testing.assert_allclose(model.log_prob, whole.log_prob, atol=1e-6)
    np.testing.assert_allclose(model.backoff, whole.backoff, atol=1e-6)


@needs_shared
def test_entropy_pruning_costs_less_than_count_pruning(tmp_path):
    """Of two models of one size the one pruned by entropy predicts other books better."""
    texts = {}
    for subset in ("train-clean-5", "dev-clean"):
        files = sorted((TRANSCRIPTS / subset).glob("*/*/*.trans.txt"))
        lines = [line.split(" ", 1)[1] for f in files for line in f.read_text().splitlines()]
        texts[subset] = tmp_path / f"{subset}.txt"
        texts[subset].write_text("".join(f"{line}\n" for line in lines[:1500]))
    seen, new = texts.values()
    by_count = train([seen], vocabulary=3000, prune=[0, 2, 2])
    by_entropy = train([seen], vocabulary=3000, max_ngrams=sum(by_count.counts[1:]))
    assert sum(by_entropy.counts) == sum(by_count.counts)
    assert measure(by_entropy, [new]).with_unknown < measure(by_count, [new]).with_unknown


def test_fits_a_size(text, tmp_path):
    from asr.ngram import save

    model = train([text], max_bytes=30_000)
    save(model, tmp_path / "small.lm")
    assert 0.97 * 30_000 < (tmp_path / "small.lm").stat().st_size <= 30_000
    whole = train([text], max_bytes=10**9)
    assert whole.counts == train([text]).counts
    with pytest.raises(AsrError, match="words alone take more than 1000 bytes"):
        train([text], max_bytes=1000)


@pytest.mark.parametrize("prune", [[1, 1], [0, 2, 1], [0, 0, 0, 0]])
def test_refuses_thresholds_that_cannot_be(text, prune):
    with pytest.raises(AsrError, match="such as 0 1 1"):
        train([text], prune=prune)


def test_one_sentence_is_enough(tmp_path):
    path = tmp_path / "one.txt"
    path.write_text("to be or not to be")
    model = train([path])
    assert isinstance(model, NgramModel)
    assert set(model.words[3:]) == {"TO", "BE", "OR", "NOT"}
    for state in range(model.top):
        assert total_probability(model, state) == pytest.approx(1, abs=1e-5)
    assert sum(model.score_sentence(["TO", "BE"])) > sum(model.score_sentence(["BE", "TO"]))


def test_training_twice_gives_the_same(text):
    a, b = train([text], max_ngrams=3000), train([text], max_ngrams=3000)
    assert list(a.words) == list(b.words)
    np.testing.assert_array_equal(a.log_prob, b.log_prob)
    np.testing.assert_array_equal(a.suffix, b.suffix)
