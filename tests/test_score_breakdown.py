"""Where the errors are."""

import pytest

from asr.scoring.breakdown import (
    Silence,
    by_confidence,
    by_length,
    by_rate,
    by_speaker,
    confusions,
    silence,
)
from asr.scoring.error_rates import score

REFERENCES = ["A B", "A B C D E F", "", "", "A"]
HYPOTHESES = ["A X", "A X C D E", "OH", "", "A"]
SPEAKERS = ["ann", "bob", "bob", "ann", None]


@pytest.fixture(scope="module")
def scored():
    return score(REFERENCES, HYPOTHESES)


def test_groups_hold_each_utterance_once(scored):
    errors = scored.utterance_errors
    speakers = by_speaker(errors, SPEAKERS)
    assert [(g.name, g.utterances, g.errors.total) for g in speakers] == [
        ("ann", 2, 1),
        ("bob", 2, 3),
    ]
    lengths = by_length(errors, SPEAKERS)
    assert [(g.name, g.utterances) for g in lengths] == [("0", 2), ("1-5", 2), ("6-10", 1)]
    assert sum(g.errors.total for g in lengths) == scored.words.total


def test_speaking_rate_needs_words_and_a_duration(scored):
    found = by_rate(scored.utterance_errors, SPEAKERS, [1.0, 2.0, 2.0, None, None])
    assert [(g.name, g.utterances) for g in found] == [("2-2.5", 1), ("3-3.5", 1)]


def test_the_most_frequent_errors_come_first(scored):
    found = confusions(scored.alignments)
    assert found.substitutions == [("B", "X", 2)]
    assert found.deletions == [("F", 1)]
    assert found.insertions == [("OH", 1)]
    assert confusions(scored.alignments, most=0).substitutions == []


def test_insertions_on_silence_are_counted(scored):
    assert silence(scored.utterance_errors) == Silence(
        utterances=2, with_insertions=1, insertions=1
    )


def test_groups_by_confidence_are_of_like_size_and_keep_equal_ones_together():
    confidences = [0.1] * 5 + [0.5] * 30 + [1.0] * 65
    right = [False] * 5 + [True, False] * 15 + [True] * 65
    found = by_confidence(confidences, right)
    assert sum(group.words for group in found) == 100
    assert [group.confidence for group in found][-1] == 1.0
    assert found[-1].words == found[-1].right == 65
    assert len(by_confidence([i / 200 for i in range(200)], [True] * 200)) == 10
    assert by_confidence([], []) == []
