import os

import pytest

from asr.runtime.threads import count_threads


def test_the_environment_says_how_many_threads(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "37")
    assert count_threads() == 37
    monkeypatch.setenv("OMP_NUM_THREADS", "5,2")
    assert count_threads() == 5


@pytest.mark.parametrize("wish", ["0", "many", "-2", ""])
def test_what_is_no_number_of_threads_is_passed_over(monkeypatch, wish):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    count = count_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", wish)
    assert count_threads() == count


def test_by_default_there_is_one_for_each_core_that_may_be_used(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("this system has no affinity of processes")
    cores = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(cores)})
        assert count_threads() == 1
    finally:
        os.sched_setaffinity(0, cores)
    assert count_threads() == len(cores)
