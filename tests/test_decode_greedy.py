"""The best path, its words, their times and confidences."""

import math

import pytest
import torch

from asr.decoding import GreedyDecoder
from asr.tokenizers.tokenizer import BpeTokenizer, CharacterTokenizer, PhoneTokenizer


def frames(tokenizer, *chosen):
    """Log-probabilities whose best unit is the one chosen for each frame, with its probability."""
    units = list(tokenizer.units)
    rows = []
    for unit, probability in chosen:
        row = torch.full((len(units),), (1 - probability) / (len(units) - 1))
        row[units.index(unit) if unit else 0] = probability
        rows.append(row)
    return torch.stack(rows).log()[None], torch.tensor([len(rows)])


def test_words_have_the_times_of_their_units_and_the_mean_of_their_probabilities():
    tokenizer = CharacterTokenizer()
    path = [("", 0.9), ("I", 0.5), ("I", 0.8), (" ", 0.7), ("", 0.9), ("A", 0.9), ("", 0.6)]
    path += [("M", 0.4), ("M", 0.3), ("", 0.9), (" ", 0.9)]
    ((hypothesis,),) = GreedyDecoder(tokenizer).decode(*frames(tokenizer, *path))
    assert hypothesis.text == "I AM"
    assert [(w.text, w.start, w.end) for w in hypothesis.words] == [("I", 1, 3), ("AM", 5, 9)]
    assert hypothesis.words[0].confidence == pytest.approx(0.8)
    assert hypothesis.words[1].confidence == pytest.approx(math.sqrt(0.9 * 0.4))
    assert hypothesis.score == pytest.approx(sum(math.log(p) for _, p in path), rel=1e-5)
    assert len(hypothesis.tokens) == len(hypothesis.frames) == 5


def test_units_that_begin_words_part_them():
    tokenizer = BpeTokenizer.train(["THE THEME THAT THEY HAD THOUGHT OF THEN"] * 5, 24)
    indices = tokenizer.encode("THEY THOUGHT THE THEME")
    path = [pair for i in indices for pair in ((tokenizer.units[i], 0.6), ("", 0.9))]
    ((hypothesis,),) = GreedyDecoder(tokenizer).decode(*frames(tokenizer, *path))
    assert [word.text for word in hypothesis.words] == ["THEY", "THOUGHT", "THE", "THEME"]
    assert hypothesis.words[0].start == 0
    assert hypothesis.words[-1].end == len(path) - 1
    assert all(word.confidence == pytest.approx(0.6) for word in hypothesis.words)


def test_phones_are_no_words():
    tokenizer = PhoneTokenizer()
    path = [("HH", 0.9), ("AY", 0.9), (" ", 0.9), ("Y", 0.9), ("UW", 0.9)]
    ((hypothesis,),) = GreedyDecoder(tokenizer).decode(*frames(tokenizer, *path))
    assert hypothesis.text == "HH AY | Y UW"
    assert hypothesis.words == ()


def test_nothing_but_blanks_or_no_frames_at_all_give_no_words():
    tokenizer = CharacterTokenizer()
    decoder = GreedyDecoder(tokenizer)
    log_probs, _ = frames(tokenizer, ("", 0.9), (" ", 0.9), ("", 0.9))
    for count in (3, 1, 0):
        ((hypothesis,),) = decoder.decode(log_probs, torch.tensor([count]))
        assert (hypothesis.text, hypothesis.words) == ("", ())
