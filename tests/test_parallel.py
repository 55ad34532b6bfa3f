import threading

import pytest
import torch

from asr.runtime.parallel import prefetch, run_in_threads


def test_one_result_is_made_ahead_in_another_thread():
    made = []

    def make(item):
        made.append((item, threading.current_thread(), torch.get_num_threads()))
        return item * 10

    threads = torch.get_num_threads()
    results = prefetch(iter(range(5)), make)
    assert [next(results) for _ in range(2)] == [0, 10]
    results_left = list(results)
    assert results_left == [20, 30, 40]
    assert [item for item, *_ in made] == list(range(5))
    assert {count for *_, count in made} == {1}
    assert threading.current_thread() not in {thread for _, thread, _ in made}
    assert torch.get_num_threads() == threads


def test_no_more_than_one_is_made_ahead():
    taken = []
    items = (taken.append(item) or item for item in range(10))
    results = prefetch(items, float)
    next(results)
    next(results)
    results.close()  # waits for the one that is being made
    assert len(taken) == 3


def test_what_goes_wrong_in_the_thread_is_raised_when_its_result_is_due():
    results = prefetch([4, 0, 1], lambda item: 8 / item)
    assert next(results) == 2.0
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_a_call_has_its_thread_by_its_place():
    own = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        pairs = {tuple(run_in_threads([threading.current_thread] * 2)) for _ in range(50)}
        assert run_in_threads([torch.get_num_threads] * 2) == [1, 1]
        torch.set_num_threads(1)
        alone = run_in_threads([threading.current_thread] * 2)
    finally:
        torch.set_num_threads(own)
    ((first, second),) = pairs
    assert first is not second
    assert alone == [threading.current_thread()] * 2
