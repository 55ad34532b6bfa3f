"""The beam decoder on long utterances: pieces, threads, hot words, times, and what it refuses."""

import math
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from asr.decoding import BeamOptions, make_decoder
from asr.decoding.hotwords import HotWords
from asr.decoding.lexicon_tree import LexiconTree, spelled
from asr.errors import AsrError
from asr.tokenizers.tokenizer import BLANK, BpeTokenizer, CharacterTokenizer

TOKENIZER = CharacterTokenizer()


def spoken(text, tokenizer=TOKENIZER, seed=0, noise=1.0, frames_a_unit=3):
    """Emissions with the peaks of ``text``'s units, blanks between them, and noise."""
    units = tokenizer.encode(text)
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(frames_a_unit * len(units) + 2, len(tokenizer), generator=generator)
    logits *= noise
    logits[:, BLANK] += 6
    for i, unit in enumerate(units):
        logits[frames_a_unit * i + 1, unit] += 12
    return torch.log_softmax(logits, dim=-1)


def decode_all(decoder, *emissions):
    lengths = torch.tensor([len(e) for e in emissions])
    return decoder.decode(torch.nn.utils.rnn.pad_sequence(emissions, batch_first=True), lengths)


@pytest.fixture(scope="module")
def texts(librivox):
    return [utterance.text for utterance in librivox]


@pytest.fixture(scope="module")
def lexicon(texts):
    words = {word for text in texts for word in text.split()}
    return LexiconTree.build(spelled(sorted(words), TOKENIZER))


@pytest.mark.parametrize("kind", ["characters", "bpe"])
def test_reads_long_utterances_without_a_lexicon(kind, texts):
    tokenizer = TOKENIZER if kind == "characters" else BpeTokenizer.train(texts * 4, 60)
    decoder = make_decoder("beam", tokenizer)
    for text in texts:
        ((best, *_),) = decode_all(decoder, spoken(text, tokenizer))
        assert best.text == text
        assert best.tokens == tuple(tokenizer.encode(text))
        assert best.frames == tuple(3 * i + 1 for i in range(len(best.tokens)))
        assert [word.text for word in best.words] == text.split()


@pytest.mark.parametrize("open_vocabulary", [False, True])
def test_in_pieces_it_is_the_same_as_at_once(open_vocabulary, texts, lexicon):
    options = BeamOptions(open_vocabulary=open_vocabulary, nbest=20, token_threshold=-12.0)
    decoder = make_decoder("beam", TOKENIZER, options=options, lexicon=lexicon)
    # Unclear and long: the arrays must grow, and be swept, several times.
    emissions = spoken(" ".join(texts * 2), noise=4.0)
    ((*whole,),) = decode_all(decoder, emissions)
    generator = np.random.default_rng(0)
    for _ in range(2):
        stream = decoder.stream()
        start = 0
        while start < len(emissions):
            end = start + int(generator.integers(0, 90))
            stream.feed(emissions[start:end])
            start = end
        assert stream.finish() == whole
    assert len(whole) > 1


def test_in_threads_and_batches_it_is_the_same(texts, lexicon):
    emissions = [spoken(text, seed=i, noise=3.0) for i, text in enumerate(texts * 3)]
    alone = make_decoder("beam", TOKENIZER, lexicon=lexicon)
    threads = make_decoder("beam", TOKENIZER, lexicon=lexicon, threads=3)
    expected = [decode_all(alone, e)[0] for e in emissions]
    assert decode_all(threads, *emissions) == expected
    assert decode_all(threads, *emissions) == expected


def test_a_word_outside_the_lexicon_is_read_only_if_the_vocabulary_is_open(lexicon):
    emissions = spoken("ZZYZX")
    closed = make_decoder("beam", TOKENIZER, lexicon=lexicon)
    opened = make_decoder(
        "beam", TOKENIZER, lexicon=lexicon, options=BeamOptions(open_vocabulary=True)
    )
    ((best, *_),) = decode_all(closed, emissions)
    assert set(best.text.split()) <= set(lexicon.words)
    ((best, *_),) = decode_all(opened, emissions)
    assert best.text == "ZZYZX"


def test_a_hot_word_need_not_be_in_the_lexicon(texts, lexicon):
    text = f"{texts[0]} ZZYZX {texts[1]}"
    plain = make_decoder("beam", TOKENIZER, lexicon=lexicon)
    hot = make_decoder("beam", TOKENIZER, lexicon=lexicon, hotwords=["Zzyzx"])
    emissions = spoken(text)
    assert decode_all(plain, emissions)[0][0].text != text
    assert decode_all(hot, emissions)[0][0].text == text


def test_of_two_words_that_sound_alike_the_hot_one_is_read():
    lexicon = LexiconTree.build([("TWO", (2, 3), 0.0), ("TOO", (2, 3), 0.0), ("ONE", (4,), 0.0)])
    tokens = torch.full((6, len(TOKENIZER)), -9.0)
    for frame, unit in enumerate([0, 2, 0, 3, 0, 0]):
        tokens[frame, unit] = 0.0
    for hotwords, expected in [((), "TWO"), ({"too": 1.0}, "TOO"), ({"too": -1.0}, "TWO")]:
        decoder = make_decoder("beam", TOKENIZER, lexicon=lexicon, hotwords=hotwords)
        assert decode_all(decoder, tokens)[0][0].text == expected


def test_confidence_falls_where_the_sound_is_unclear(texts, lexicon):
    decoder = make_decoder("beam", TOKENIZER, lexicon=lexicon)
    text = texts[0]
    emissions = spoken(text)
    (clear, *_), (doubtful, *_) = decode_all(
        decoder, emissions, torch.log_softmax(emissions * 0.35, dim=-1)
    )
    assert clear.text == text
    assert all(0.9 < word.confidence <= 1 for word in clear.words)
    assert all(0 <= word.confidence < 0.9 for word in doubtful.words)


def test_silence_is_an_empty_text(lexicon):
    silence = torch.full((50, len(TOKENIZER)), -20.0)
    silence[:, BLANK] = 0.0
    for emissions in (silence, silence[:0]):
        ((best, *_),) = decode_all(make_decoder("beam", TOKENIZER, lexicon=lexicon), emissions)
        assert (best.text, best.words, best.tokens) == ("", (), ())
        assert best.score == pytest.approx(0.0, abs=1e-6)


def test_where_no_word_is_finished_the_words_before_are_given(lexicon, texts):
    word = max(lexicon.words, key=len)
    emissions = spoken(f"{texts[0]} {word}", noise=0.1)[:-6]
    decoder = make_decoder("beam", TOKENIZER, 1, lexicon=lexicon)
    assert decode_all(decoder, emissions)[0][0].text == texts[0]


def test_equal_scores_fall_by_a_fixed_rule(lexicon):
    even = torch.full((12, len(TOKENIZER)), -math.log(len(TOKENIZER)))
    options = BeamOptions(beam_size=7, nbest=7)
    for words in (lexicon, None):
        decoder = make_decoder("beam", TOKENIZER, options=options, lexicon=words)
        first = decode_all(decoder, even)
        assert first == decode_all(decoder, even) == decode_all(decoder, even.double())


@pytest.mark.parametrize("seed", range(5))
def test_no_beam_exceeds_its_size_and_a_wider_one_is_no_worse(texts, lexicon, seed):
    emissions = spoken(texts[2], noise=5.0, seed=seed)
    scores = []
    for size in (1, 4, 64):
        options = BeamOptions(beam_size=size, nbest=1000, beam_threshold=math.inf)
        decoder = make_decoder("beam", TOKENIZER, options=options, lexicon=lexicon)
        hypotheses = decode_all(decoder, emissions)[0]
        assert len(hypotheses) <= size
        scores.append(hypotheses[0].score)
    assert scores == sorted(scores)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"beam_size": 0}, "the beam size must be at least 1, not 0"),
        ({"nbest": 0}, "the number of hypotheses must be at least 1"),
        ({"beam_threshold": 0.0}, "the beam threshold must be above 0"),
        ({"beam_threshold": math.nan}, "the beam threshold must be above 0"),
        ({"token_threshold": 1.0}, "the token threshold must be at most 0"),
        ({"lm_weight": -1.0}, "the LM weight must be at least 0"),
        ({"word_bonus": math.inf}, "the word bonus is not a number"),
    ],
)
def test_refuses_options_out_of_range(changes, problem):
    with pytest.raises(AsrError, match=problem):
        replace(BeamOptions(), **changes)


def test_refuses_parts_that_do_not_fit(lexicon):
    with pytest.raises(AsrError, match="no decoder 'beams'"):
        make_decoder("beams", TOKENIZER)
    with pytest.raises(AsrError, match="unit 99, the model only 29"):
        make_decoder("beam", TOKENIZER, lexicon=[("A", (99,), 0.0)])
    with pytest.raises(AsrError, match="stands between words"):
        make_decoder("beam", TOKENIZER, lexicon=[("A B", (2, 1, 3), 0.0)])
    with pytest.raises(AsrError, match=r"a hot word can't be spelled.*'Ж'"):
        make_decoder("beam", TOKENIZER, lexicon=lexicon, hotwords=["Жар"])
    with pytest.raises(AsrError, match=r"hot word '\.\.\.' has no letters"):
        make_decoder("beam", TOKENIZER, lexicon=lexicon, hotwords=["..."])
    with pytest.raises(AsrError, match="boost of the hot word 'A' is not a number"):
        make_decoder("beam", TOKENIZER, lexicon=lexicon, hotwords={"A": math.nan})
    stream = make_decoder("beam", TOKENIZER, lexicon=lexicon).stream()
    with pytest.raises(AsrError, match=r"shape \(frames, 29\) are needed, not \(4, 5\)"):
        stream.feed(torch.zeros(4, 5))
    with pytest.raises(AsrError, match="not numbers"):
        stream.feed(torch.full((4, 29), math.nan))


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (("A", (), 0.0), "no units for 'A'"),
        (("A", (2, 0), 0.0), "spells 'A' with a blank"),
        (("A", (2,), math.nan), "weight of 'A' is not a number"),
    ],
)
def test_refuses_a_bad_lexicon(entry, problem):
    with pytest.raises(AsrError, match=problem):
        LexiconTree.build([("B", (3,), 0.0), entry])


def test_a_tree_holds_its_entries_and_grows(texts):
    words = sorted({word for text in texts for word in text.split()})
    entries = [(word, TOKENIZER.encode(word), -i / 8) for i, word in enumerate(words)]
    entries += [("OTHER", entries[0][1], 0.5), (words[0], (5, 6, 7), -2.0)]
    tree = LexiconTree.build([*entries, (words[1], entries[1][1], -9.0)])  # one of them twice
    as_set = {(word, tuple(units), weight) for word, units, weight in entries}
    assert {(word, tuple(units), weight) for word, units, weight in tree.entries()} == as_set

    grown = LexiconTree.build(entries[:9]).with_entries(entries[9:])
    assert {(word, tuple(units), weight) for word, units, weight in grown.entries()} == as_set
    assert LexiconTree.build([]).with_entries([]).words == []

    best = tree.best_below(tree.log_weight)
    below = {}
    for _, units, weight in entries:
        for end in range(len(units) + 1):
            prefix = tuple(units[:end])
            below[prefix] = max(weight, below.get(prefix, -math.inf))
    assert len(best) == len(below)
    assert sorted(best) == sorted(below.values())
    assert best[0] == 0.5


@pytest.mark.parametrize("seed", range(3))
def test_hundreds_of_phrases_are_one_automaton(seed):
    generator = np.random.default_rng(seed)
    phrases = {
        tuple(generator.integers(0, 9, generator.integers(1, 5)).tolist()): float(boost)
        for boost in generator.uniform(0, 3, 300)
    }
    hot = HotWords.build(phrases, 9)
    for _ in range(20):
        words = generator.integers(0, 9, 30).tolist()
        state, earned = 0, 0.0
        for word in words:
            while state:
                children = slice(hot.first_child[state], hot.first_child[state + 1])
                if word in hot.word[children]:
                    break
                state = hot.fallback[state]
            state = (
                children.start + hot.word[children].tolist().index(word)
                if state
                else hot.root_child[word]
            )
            earned += hot.earned[state]
        expected = sum(
            boost * sum(tuple(words[i : i + len(p)]) == p for i in range(len(words)))
            for p, boost in phrases.items()
        )
        assert earned == pytest.approx(expected)


def test_where_nothing_can_be_kept_it_is_compiled_all_the_same():
    code = "import asr.decoding.search, asr.alignment.viterbi, asr.lexicon.letter_to_sound_training"
    env = os.environ | {"NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator"}
    env.pop("NUMBA_CACHE_DIR", None)  # the only place left
    assert subprocess.run([sys.executable, "-c", code], env=env, check=False).returncode == 0


def test_nothing_is_compiled_for_the_greedy_decoder():
    code = "import sys, asr.decoding, asr.cli.main; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
