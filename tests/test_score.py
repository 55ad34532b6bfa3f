import math
import random

import jiwer
import numpy as np
import pytest

from asr.scoring.bootstrap import SEED, interval, resample, resampling_units
from asr.scoring.error_rates import Errors, align, picture, right_words, score
from asr.scoring.realign import fits


def noisy(count, rate, seed=3, words=12):
    """References of invented words, and hypotheses with errors of each kind."""
    draw = random.Random(seed)
    vocabulary = [f"W{number}" for number in range(60)]
    references, hypotheses = [], []
    for _ in range(count):
        said = draw.choices(vocabulary, k=draw.randint(1, 2 * words))
        heard = []
        for word in said:
            chance = draw.random()
            if chance > rate:
                heard.append(word)
            elif chance > rate * 0.4:
                heard.append(draw.choice(vocabulary))
            if draw.random() < rate * 0.2:
                heard.append(draw.choice(vocabulary))
        references.append(" ".join(said))
        hypotheses.append(" ".join(heard))
    return references, hypotheses


def test_counts_over_the_corpus_not_the_mean_over_utterances():
    result = score(["A B C D", "E"], ["A X C", "E F"])
    assert result.words == Errors(5, substitutions=1, deletions=1, insertions=1)
    assert result.wer == pytest.approx(3 / 5)
    assert result.wrong_utterances == 2
    assert result.cer == pytest.approx((1 + 2 + 2) / 8)
    assert [errors.total for errors in result.utterance_errors] == [2, 1]


def test_empty_references_and_hypotheses_keep_the_pairing():
    result = score(["", "A B", "C", ""], ["", "", "C", "X Y"])
    assert result.utterances == 4
    assert result.words.reference == 3
    assert (result.words.deletions, result.words.insertions) == (2, 2)
    assert result.wer == pytest.approx(4 / 3)
    assert result.wrong_utterances == 2


@pytest.mark.parametrize(("hypothesis", "wer"), [("", 0.0), ("A", math.inf)])
def test_nothing_to_say(hypothesis, wer):
    assert score([""], [hypothesis]).wer == wer


def test_no_utterances():
    assert score([], []).wer == 0.0


def test_a_missing_hypothesis_is_an_error_not_a_shift():
    with pytest.raises(ValueError, match="zip"):
        score(["A", "B"], ["A"])


def test_any_white_space_parts_words():
    assert score(["A\tB\u00a0C"], [" A  B C\n"]).wer == 0.0


@pytest.mark.parametrize("rate", [0.1, 0.6])
def test_rates_are_those_of_jiwer(rate):
    references, hypotheses = noisy(300, rate)
    result = score(references, hypotheses)
    assert result.wer == pytest.approx(jiwer.wer(references, hypotheses))
    assert result.cer == pytest.approx(jiwer.cer(references, hypotheses))


def test_of_the_fewest_edits_those_with_the_most_words_right():
    """Counted by a plain recursion over all alignments of short utterances."""

    def best(said, heard):
        if not said or not heard:
            return len(said) + len(heard), 0
        edits, right = best(said[1:], heard[1:])
        options = [(edits + 1, right)]
        if said[0] == heard[0]:
            options = [(edits, right - 1)]
        for rest in (best(said[1:], heard), best(said, heard[1:])):
            options.append((rest[0] + 1, rest[1]))
        return min(options)

    draw = random.Random(5)
    pairs = [[draw.choices("ABC", k=draw.randint(1, 6)) for _ in "rh"] for _ in range(200)]
    found = align([" ".join(said) for said, _ in pairs], [" ".join(heard) for _, heard in pairs])
    for (said, heard), alignment in zip(pairs, found, strict=True):
        edits = list(alignment.edits())
        assert [e.reference for e in edits if e.reference] == said
        assert [e.hypothesis for e in edits if e.hypothesis] == heard
        assert all((e.kind == "equal") == (e.reference == e.hypothesis) for e in edits)
        assert (alignment.errors.total, -sum(alignment.right)) == best(said, heard)


def test_very_long_utterances_are_scored_too():
    draw = random.Random(1)
    said = draw.choices("ABCDEFGH", k=3000)
    heard = [word for word in said if draw.random() > 0.1]
    assert not fits(said, heard)
    result = score([" ".join(said)], [" ".join(heard)])
    assert result.words.total == len(said) - len(heard)


def test_picture_marks_each_error():
    (alignment,) = align(["HE WAS NOT ILL THAT DAY"], ["HE IS ILL THAT DAY THEN"])
    said, heard, marks = picture(alignment).splitlines()
    assert said.split() == ["REF:", "HE", "WAS", "NOT", "ILL", "THAT", "DAY", "****"]
    assert heard.split()[:2] == ["HYP:", "HE"]
    assert sorted(marks.split()) == ["D", "I", "S"]
    assert len(said) == len(heard) == len(marks)
    assert picture(*align([""], ["A B"])).splitlines()[-1].split() == ["I", "I"]
    assert picture(*align([""], [""])) == "REF:\nHYP:"


def test_which_words_are_right():
    assert right_words("A B C", ["A", "X", "C", "D"]) == [True, False, True, False]
    assert right_words("", ["A"]) == [False]


def test_the_interval_holds_the_true_rate_as_often_as_it_says():
    """Utterances of a source whose rate is known, a hundred test sets of them."""
    draw = np.random.default_rng(7)
    held = 0
    for _ in range(100):
        words = draw.integers(5, 30, 200)
        wrong = draw.binomial(words, draw.beta(2, 8, 200))  # mean 0.2
        errors = [Errors(int(n), int(e), 0, 0) for n, e in zip(words, wrong, strict=True)]
        found = interval(errors, [None] * 200)
        held += found.low <= 0.2 <= found.high
    assert 88 <= held <= 99


def test_speakers_are_redrawn_whole_where_they_are_known():
    """Speakers differ far more than their utterances, so the interval must be wider."""
    errors, speakers = [], []
    for number in range(10):
        errors += [Errors(10, number, 0, 0)] * 20
        speakers += [str(number)] * 20
    by_speaker, by_utterance = interval(errors, speakers), interval(errors, [None] * 200)
    assert (by_speaker.over, by_speaker.units) == ("speakers", 10)
    assert (by_utterance.over, by_utterance.units) == ("utterances", 200)
    assert by_speaker.high - by_speaker.low > 3 * (by_utterance.high - by_utterance.low)
    assert interval(errors, speakers) == by_speaker
    assert interval(errors[:60], speakers[:60]).over == "utterances"  # three speakers say little
    assert interval(errors, [None, *speakers[1:]]).over == "utterances"


def test_the_interval_is_that_of_a_plain_bootstrap():
    errors = [Errors(n, e, 0, 0) for n, e in [(5, 1), (9, 0), (3, 3), (12, 2), (7, 1)]]
    units = resampling_units([None] * 5)
    (wrong, words), *others = resample([units.sum([1, 0, 3, 2, 1]), units.sum([5, 9, 3, 12, 7])])
    assert others == []
    drawn = np.random.default_rng(SEED).integers(0, 5, (len(words), 5), dtype=np.uint16)
    rates = [
        sum(errors[i].total for i in row) / sum(errors[i].reference for i in row) for row in drawn
    ]
    assert wrong / words == pytest.approx(rates)
    found = interval(errors, [None] * 5)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(rates, [0.025, 0.975])))


@pytest.mark.parametrize("errors", [[], [Errors(3, 1, 0, 0)], [Errors(0, 0, 0, 1)] * 9])
def test_no_interval_where_there_is_nothing_to_resample(errors):
    assert interval(errors, [None] * len(errors)) is None
