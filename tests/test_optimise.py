import pytest

from asr.optimise import one_cycle


def test_the_rate_rises_to_its_peak_and_falls_to_zero():
    rates = [one_cycle(1.0, 0.1, done / 100) for done in range(101)]
    assert max(rates) == rates[10] == 1.0
    assert rates[:11] == sorted(rates[:11])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[55] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0.0)
