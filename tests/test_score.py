import math

import pytest

from asr.score import alignment, score


def test_counts_over_the_corpus_not_the_mean_over_utterances():
    result = score(["A B C D", "E"], ["A X C", "E F"])
    assert (result.words.substitutions, result.words.deletions, result.words.insertions) == (
        1,
        1,
        1,
    )
    assert result.wer == pytest.approx(3 / 5)
    assert result.wrong_utterances == 2
    assert result.cer == pytest.approx((1 + 2 + 2) / 8)


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


def test_alignment_marks_each_error():
    lines = alignment("HE WAS NOT ILL THAT DAY", "HE IS ILL THAT DAY THEN").splitlines()
    assert [line.split()[0] for line in lines[:2]] == ["REF:", "HYP:"]
    assert sorted(lines[2].split()) == ["D", "I", "S"]
    assert alignment("", "A B").splitlines()[-1].split() == ["I", "I"]
