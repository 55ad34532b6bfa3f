"""The beam search against sums over all alignments, written out."""

import itertools
import math
from collections import defaultdict

import numpy as np
import pytest
import torch

from asr.decoding import BeamOptions, make_decoder
from asr.decoding.beam import BeamDecoder
from asr.decoding.lexicon_tree import LexiconTree
from asr.decoding.search.records import STATES
from asr.ngram import load
from asr.tokenizers.tokenizer import CharacterTokenizer, Tokenizer

LOG10 = math.log(10)


class Pieces(Tokenizer):
    """Units as sentencepiece writes them."""

    kind = "pieces"
    units = ("<blank>", "▁A", "▁B", "A", "B")

    def encode(self, text):
        return [
            self.units.index(("▁" if i == 0 else "") + c)
            for word in text.split()
            for i, c in enumerate(word)
        ]

    def decode(self, indices):
        return "".join(self.units[i] for i in indices).replace("▁", " ").strip()

    def to_json(self):
        return {}


LETTERS = CharacterTokenizer(" AB")
PIECES = Pieces()

ARPA = """\\data\\
ngram 1=6
ngram 2=5
ngram 3=3

\\1-grams:
-0.8\t<unk>
-99\t<s>\t-0.31
-0.9\t</s>
-0.5\tA\t-0.22
-0.7\tB\t-0.41
-1.1\tAB\t-0.13

\\2-grams:
-0.4\t<s> A\t-0.35
-0.3\tA B\t-0.12
-0.8\tB A
-0.6\tAB B\t-0.2
-0.2\tB </s>

\\3-grams:
-0.15\t<s> A B
-0.11\tA B </s>
-1.7\tAB B A

\\end\\
"""


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    path = tmp_path_factory.mktemp("lm") / "small.arpa"
    path.write_text(ARPA)
    return load(path)


def emissions(seed, frames, units, peaked=1.5):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(frames, units, generator=generator) * peaked
    return torch.log_softmax(logits, dim=-1)


def sums_over_alignments(log_probs):
    """The probability of each unit sequence, from all paths (Graves et al. 2006, equation 3)."""
    rows = log_probs.double().exp().numpy()
    sums = defaultdict(float)
    for path in itertools.product(range(rows.shape[1]), repeat=len(rows)):
        probability = math.prod(rows[t, u] for t, u in enumerate(path))
        sums[tuple(u for u, _ in itertools.groupby(path) if u)] += probability
    return sums


def split_at_separators(units, separator):
    return [
        list(g) for is_gap, g in itertools.groupby(units, lambda u: u == separator) if not is_gap
    ]


def split_at_starts(units, starts):
    words = []
    for unit in units:
        if unit in starts or not words:
            words.append([])
        words[-1].append(unit)
    return words


def segmentations(units, spellings):
    """All ways to cut units into spellings of words."""
    if not units:
        yield []
    for end in range(1, len(units) + 1):
        if tuple(units[:end]) in spellings:
            for rest in segmentations(units[end:], spellings):
                yield [units[:end], *rest]


def by_text(log_probs, tokenizer, entries, options, lm=None, hotwords=None):
    """The score of each text, the sum over alignments, segmentations and spellings."""
    spellings = defaultdict(list)
    rarer = lm and min(0.0, float(lm.log_prob[4 : 1 + len(lm.words)].min() - lm.log_prob[1]))
    for word, units, weight in entries or ():
        lacking = options.lm_weight * LOG10 * rarer if lm and word not in lm.words else 0.0
        spellings[tuple(units)].append((word, weight + lacking))
    spelling = options.open_vocabulary or entries is None
    scores = defaultdict(lambda: -math.inf)
    for units, probability in sums_over_alignments(log_probs).items():
        if tokenizer is LETTERS:
            cuts = [split_at_separators(units, 1)]
        elif spelling:
            cuts = [split_at_starts(units, {1, 2})]
        else:
            cuts = segmentations(units, spellings)
        for cut in cuts:
            choices = [
                spellings.get(tuple(w))
                or ([(None, options.unknown_penalty if entries else 0.0)] if spelling else [])
                for w in cut
            ]
            for words in itertools.product(*choices):
                score = math.log(probability) + sum(weight for _, weight in words)
                texts = [w or tokenizer.decode(u) for (w, _), u in zip(words, cut, strict=True)]
                if lm:
                    log10 = sum(lm.score_sentence([w or "<unk>" for w, _ in words]))
                    score += options.lm_weight * LOG10 * log10 + options.word_bonus * len(words)
                for phrase, boost in (hotwords or {}).items():
                    score += boost * occurrences(phrase.split(), [w for w, _ in words])
                text = " ".join(texts)
                scores[text] = np.logaddexp(scores[text], score)
    return scores


def occurrences(phrase, words):
    return sum(words[i : i + len(phrase)] == phrase for i in range(len(words)))


def wide(**changes):
    return BeamOptions(
        **{
            "beam_size": 3000,
            "beam_threshold": math.inf,
            "token_threshold": -math.inf,
            "nbest": 3000,
            "lm_weight": 0.9,
            "word_bonus": 0.4,
            "unknown_penalty": -1.2,
            **changes,
        }
    )


def decode(decoder, log_probs):
    (hypotheses,) = decoder.decode(log_probs[None], torch.tensor([len(log_probs)]))
    return hypotheses


LETTER_WORDS = [
    ("A", (2,), 0.0),
    ("B", (3,), 0.0),
    ("AB", (2, 3), 0.0),
    ("BAA", (3, 2, 2), 0.0),
    ("B", (3, 2), math.log(0.3)),  # another way to spell it
    ("AB", (3,), math.log(0.5)),  # a homophone of B
    ("ELSE", (2, 2), 0.0),  # unknown to the language model
]
PIECE_WORDS = [
    ("A", (1,), 0.0),
    ("B", (2,), 0.0),
    ("AB", (1, 4), 0.0),
    ("AB", (2, 3), math.log(0.25)),
    ("A", (2, 3), math.log(0.5)),
    ("BB", (2, 4), 0.0),
    ("BB", (4, 4), 0.0),  # only a lexicon without marks could begin so
]
CASES = {
    "letters": (LETTERS, LETTER_WORDS, {}),
    "letters, any word": (LETTERS, LETTER_WORDS, {"open_vocabulary": True}),
    "letters, no lexicon": (LETTERS, None, {}),
    "pieces": (PIECES, PIECE_WORDS, {}),
    "pieces, any word": (PIECES, PIECE_WORDS[:-1], {"open_vocabulary": True}),
    "pieces, no lexicon": (PIECES, None, {}),
}


@pytest.mark.parametrize("with_lm", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_equals_the_sum_over_all_alignments(case, with_lm, lm):
    tokenizer, entries, changes = CASES[case]
    options = wide(**changes)
    tree = LexiconTree.build(entries) if entries else None
    # Homophones that no language model tells apart are not all read: see the test below.
    lm = lm if with_lm else None
    if not with_lm and entries:
        seen = set()
        ranked = sorted(entries, key=lambda entry: -entry[2])
        entries = [e for e in ranked if not (e[1] in seen or seen.add(e[1]))]
    decoder = BeamDecoder(tokenizer, options, lexicon=tree, lm=lm)
    for seed in range(4):
        log_probs = emissions(seed, 6 if tokenizer is LETTERS else 5, len(tokenizer))
        expected = by_text(log_probs, tokenizer, entries, options, lm)
        hypotheses = decode(decoder, log_probs)
        assert {h.text: h.score for h in hypotheses} == pytest.approx(expected, abs=1e-6)
        assert len({h.text for h in hypotheses}) == len(hypotheses)
        scores = [h.score for h in hypotheses]
        assert scores == sorted(scores, reverse=True)
        for h in hypotheses:
            bonus = (options.lm_weight * h.lm_score + 0.4 * len(h.words)) if lm else 0.0
            if not changes:
                assert h.score == pytest.approx(h.acoustic_score + bonus, abs=1e-6)


@pytest.mark.parametrize("case", ["letters", "pieces"])
def test_recombination_drops_what_can_not_win(case, lm):
    tokenizer, entries, _ = CASES[case]
    tree = LexiconTree.build(entries)
    exact = BeamDecoder(tokenizer, wide(), lexicon=tree, lm=lm)
    recombined = BeamDecoder(tokenizer, wide(nbest=1, recombination=1.5), lexicon=tree, lm=lm)
    for seed in range(12):
        log_probs = emissions(seed, 9, len(tokenizer))
        best, *_ = decode(exact, log_probs)
        (found,) = decode(recombined, log_probs)
        assert found.text == best.text
        assert found.score == pytest.approx(best.score, abs=1e-6)
        streams = [exact.stream(), recombined.stream()]
        for stream in streams:
            stream.feed(log_probs)
        alive, left = (stream._memory.counts[STATES] for stream in streams)
        assert left < alive


HOTWORDS = {"A B": 2.0, "B": 0.7, "B A B": 1.5, "A": -0.4, "BBA": 1.1}


@pytest.mark.parametrize("case", ["letters", "letters, any word", "pieces"])
def test_hot_phrases_earn_their_boosts_where_they_are_whole(case, lm):
    tokenizer, entries, changes = CASES[case]
    options = wide(**changes)
    decoder = BeamDecoder(
        tokenizer, options, lexicon=LexiconTree.build(entries), lm=lm, hotwords=HOTWORDS
    )
    entries = [*entries, ("BBA", tuple(tokenizer.encode("BBA")), 0.0)]
    for seed in range(3):
        log_probs = emissions(seed, 7 if tokenizer is LETTERS else 5, len(tokenizer))
        expected = by_text(log_probs, tokenizer, entries, options, lm, HOTWORDS)
        found = {h.text: h.score for h in decode(decoder, log_probs)}
        assert found == pytest.approx(expected, abs=1e-6)


def test_times_are_those_of_the_best_alignment():
    from torchaudio.functional import forced_align

    decoder = make_decoder("beam", LETTERS, options=wide())
    for seed in range(3):
        log_probs = emissions(seed, 7, len(LETTERS))
        for h in decode(decoder, log_probs)[:20]:
            if not h.tokens:
                continue
            path, _ = forced_align(log_probs[None], torch.tensor([h.tokens]), blank=0)
            runs = [
                (u, [t for t, _ in group])
                for u, group in itertools.groupby(enumerate(path[0].tolist()), lambda x: x[1])
                if u
            ]
            assert h.tokens == tuple(u for u, _ in runs)
            assert h.frames == tuple(frames[0] for _, frames in runs)
            words = [
                (word[0][1][0], word[-1][1][-1] + 1)
                for is_gap, group in itertools.groupby(runs, lambda run: run[0] == 1)
                if not is_gap and (word := list(group))
            ]
            assert [(w.start, w.end) for w in h.words] == words
            assert " ".join(w.text for w in h.words) == h.text


def test_of_homophones_that_nothing_tells_apart_the_likeliest_is_read(lm):
    twins = [("TWO", (2,), -0.1), ("TOO", (2,), -0.2), ("A", (2,), -3.0), ("B", (3,), 0.0)]
    log_probs = emissions(0, 5, len(LETTERS))
    alone = BeamDecoder(LETTERS, wide(), lexicon=LexiconTree.build(twins))
    assert {w.text for h in decode(alone, log_probs) for w in h.words} == {"TWO", "B"}
    with_lm = BeamDecoder(LETTERS, wide(), lexicon=LexiconTree.build(twins), lm=lm)
    assert {w.text for h in decode(with_lm, log_probs) for w in h.words} == {"TWO", "A", "B"}
    hot = BeamDecoder(LETTERS, wide(), lexicon=LexiconTree.build(twins), hotwords=["too"])
    words = {w.text for h in decode(hot, log_probs) for w in h.words}
    assert words == {"TWO", "TOO", "B"}


def test_double_precision_gives_the_same():
    log_probs = emissions(5, 6, len(LETTERS)).double()
    decoder = make_decoder("beam", LETTERS, options=wide())
    expected = by_text(log_probs, LETTERS, None, wide())
    found = {h.text: h.score for h in decode(decoder, log_probs)}
    assert found == pytest.approx(expected, abs=1e-9)
