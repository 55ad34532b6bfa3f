"""Parallel execution of two calls or modules, and prefetching in a thread.

A recurrent step is a small matrix product; two threads that share one mostly wait for each other.
So on a CPU each half of a training batch (:mod:`asr.training.gradients`), and each direction of a
layer in inference, runs in a thread of its own. Results are the same to the bit as on one thread.
On a GPU each direction runs in a stream of its own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import torch
from torch import Tensor, nn

Item = TypeVar("Item")
Result = TypeVar("Result")


def run_in_threads(calls: Sequence[Callable[[], Result]]) -> list[Result]:
    """The results of one or two calls, each in a thread where torch may use two or more.

    A call's position always maps to the same thread: autograd orders operations by their number
    within a thread, and another order of sums would round differently. Torch's modes are per
    thread: a call that needs one sets it itself.
    """
    if len(calls) < 2 or torch.get_num_threads() < 2:
        return [call() for call in calls]
    futures = [pool.submit(call) for pool, call in zip(_pair(), calls, strict=True)]
    return [future.result() for future in futures]


def apply_in_parallel(
    modules: tuple[nn.Module, nn.Module], inputs: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Applies each module to its own input: in two streams on CUDA, in two threads on a CPU.

    With gradients on a CPU, one after the other.
    """
    if inputs[0].is_cuda:
        return _in_two_streams(modules, inputs)
    if torch.is_grad_enabled():
        return modules[0](inputs[0]), modules[1](inputs[1])
    left, right = run_in_threads(
        [functools.partial(_infer, *pair) for pair in zip(modules, inputs, strict=True)]
    )
    return left, right


@torch.inference_mode()
def _infer(module: nn.Module, inputs: Tensor) -> Tensor:
    outputs: Tensor = module(inputs)
    return outputs


def _in_two_streams(
    modules: tuple[nn.Module, nn.Module], inputs: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Autograd runs the backward pass in the same streams."""
    here = torch.cuda.current_stream(inputs[0].device)
    there = _second_stream(inputs[0].device)
    there.wait_stream(here)
    with torch.cuda.stream(there):
        right = modules[1](inputs[1])
    left = modules[0](inputs[0])
    here.wait_stream(there)
    inputs[1].record_stream(there)  # keeps the allocator from reusing their memory too early
    right.record_stream(here)
    return left, right


@functools.cache
def _second_stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def prefetch(items: Iterable[Item], make: Callable[[Item], Result]) -> Iterator[Result]:
    """Yields ``make(item)`` for each item; a thread makes the next one while one is in use."""
    iterator = iter(items)

    def following() -> list[Result]:
        return [make(item) for item in islice(iterator, 1)]

    with _thread() as pool:
        future = pool.submit(following)
        while made := future.result():
            future = pool.submit(following)
            yield made[0]


@functools.cache
def _pair() -> tuple[ThreadPoolExecutor, ThreadPoolExecutor]:
    return _thread(), _thread()


def _thread() -> ThreadPoolExecutor:
    """A thread whose torch operations are single-threaded."""
    own = torch.get_num_threads()
    pool = ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,))
    # Start it now: it sets its own thread count, which new threads inherit.
    pool.submit(torch.get_num_threads).result()
    torch.set_num_threads(own)
    return pool
