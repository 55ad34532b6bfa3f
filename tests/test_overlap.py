"""Where two stretches overlap, every word is kept once."""

import pytest

from asr.transcript import Segment, Word
from asr.transcription.overlap import join


def segment(start, end, *words):
    timed = tuple(Word(text, begin, stop, 0.9) for text, begin, stop in words)
    return Segment(start, end, " ".join(word.text for word in timed), -1.0, timed)


def texts(*segments):
    return [word.text for segment in segments for word in segment.words]


def test_segments_that_do_not_overlap_stay_as_they_are():
    left, right = segment(0, 10, ("A", 1, 2)), segment(10, 20, ("B", 11, 12))
    assert join(left, right) == (left, right)


def test_what_both_heard_stays_once_and_what_is_cut_off_goes():
    left = segment(
        0, 20, ("ONE", 15, 15.4), ("TWO", 17, 17.5), ("THREE", 18.6, 19), ("FO", 19.8, 20)
    )
    right = segment(
        16, 36, ("O", 16, 16.1), ("TWO", 17.1, 17.5), ("THREE", 18.6, 19), ("FOUR", 19.8, 20.2)
    )
    joined = join(left, right)
    assert texts(*joined) == ["ONE", "TWO", "THREE", "FOUR"]
    assert [s.text for s in joined] == ["ONE TWO", "THREE FOUR"]
    assert joined[0].end == joined[1].start == pytest.approx(18.05, abs=0.3)
    assert 17.5 <= joined[0].end <= 18.6


@pytest.mark.parametrize("shift", [-0.04, 0.0, 0.04])
def test_dense_speech_whose_times_differ_a_little_is_neither_lost_nor_doubled(shift):
    words = [(f"W{i}", 0.31 * i, 0.31 * i + 0.27) for i in range(100)]
    left = segment(0, 20, *(w for w in words if w[2] <= 20))
    right = segment(16, 31, *((t, a + shift, b + shift) for t, a, b in words if a + shift >= 16))
    assert texts(*join(left, right)) == [text for text, _, _ in words]


def test_words_understood_differently_fill_each_moment_once():
    left = segment(0, 20, ("A", 16.1, 17.9), ("B", 17.9, 20.0))
    right = segment(16, 36, ("C", 16.0, 17.4), ("D", 17.4, 18.6), ("E", 18.6, 20))
    before, after = join(left, right)
    ends = [word.end for word in before.words]
    assert texts(before, after) in (["A", "D", "E"], ["A", "B"], ["A", "E"], ["A", "B", "E"])
    for word in after.words:
        assert (word.start + word.end) / 2 >= max(ends)


def test_of_a_side_that_heard_nothing_the_other_is_kept():
    left = segment(0, 20, ("A", 17, 17.3), ("B", 18.4, 18.9))
    silent = segment(16, 36)
    before, after = join(left, silent)
    assert texts(before, after)[0] == "A"
    right = segment(16, 36, ("C", 17.1, 17.3), ("D", 18.5, 18.9))
    assert texts(*join(segment(0, 20), right))[-1] == "D"
