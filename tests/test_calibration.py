import numpy as np
import pytest

from asr.decoding.calibration import UNCALIBRATED, Calibration, calibration_error
from asr.scoring.error_rates import right_words


@pytest.fixture(params=range(5))
def random(request):
    return np.random.default_rng(request.param)


def words(random, accuracy_of, count=20_000):
    """Confidences, and words that are right with the probability ``accuracy_of`` a confidence."""
    said = random.uniform(0.02, 0.98, count)
    return said, random.uniform(size=count) < accuracy_of(said)


def test_the_error_is_the_distance_of_confidence_from_accuracy(random):
    said, right = words(random, lambda c: c)
    assert calibration_error(said, right) < 0.015
    said, right = words(random, lambda c: np.clip(c - 0.2, 0, 1))
    expected = float(np.mean(said - np.clip(said - 0.2, 0, 1)))
    assert calibration_error(said, right) == pytest.approx(expected, abs=0.01)
    assert calibration_error([], []) == 0.0


def test_overconfidence_is_taken_back(random):
    said, right = words(random, lambda c: 1 / (1 + np.exp(-(0.5 * np.log(c / (1 - c)) - 1.0))))
    calibration = Calibration.fit(said, right)
    assert calibration.slope == pytest.approx(0.5, abs=0.05)
    assert calibration.offset == pytest.approx(-1.0, abs=0.05)
    assert calibration_error(calibration(said), right) < 0.015 < calibration_error(said, right)
    assert np.all(np.diff(calibration(np.linspace(0, 1, 100))) >= 0)


@pytest.mark.parametrize("right", [[], [True], [False], [True] * 5, [False] * 5])
def test_any_words_can_be_fitted(right):
    said = np.full(len(right), 0.7)
    calibrated = Calibration.fit(said, right)(np.array([0.0, 0.3, 1.0]))
    assert np.all((calibrated >= 0) & (calibrated <= 1))


def test_the_default_changes_nothing():
    said = np.array([0.0, 0.25, 1.0])
    assert UNCALIBRATED(said).tolist() == said.tolist()


@pytest.mark.parametrize(
    ("reference", "hypothesis", "right"),
    [
        ("A B C", "A X C", [True, False, True]),
        ("A B C", "B C D", [True, True, False]),
        ("A B", "", []),
        ("", "A", [False]),
    ],
)
def test_words_are_right_in_their_place(reference, hypothesis, right):
    assert right_words(reference, hypothesis.split()) == right
