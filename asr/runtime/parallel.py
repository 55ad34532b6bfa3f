"""Several things at once.

A recurrent step is a small matrix product; two threads that share each of them spend their time
waiting for one another. So on a CPU each half of a batch in training
(:mod:`asr.training.gradients`), and each direction of a layer otherwise, is given a thread of its
own. The results are the same to the bit as one after the other on one thread. On a GPU each
direction is given a stream.

What a step of training begins with does not wait for the step before: it is made in a thread, too.
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
    """The results of one or two calls, each in a thread if there are two or more to use.

    The first one's is always the same, and so is the other's: autograd goes through operations by
    the numbers that they had in their thread, and sums rounded in another order would differ.
    Torch keeps its modes for each thread, too: a call that needs one has to set it itself.
    """
    if len(calls) < 2 or torch.get_num_threads() < 2:
        return [call() for call in calls]
    futures = [pool.submit(call) for pool, call in zip(_pair(), calls, strict=True)]
    return [future.result() for future in futures]


def apply_in_parallel(
    modules: tuple[nn.Module, nn.Module], inputs: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Applies each module to its own input: on CUDA in two streams, on a CPU in two threads.

    Where gradients are wanted on a CPU, one after the other.
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
    """The backward pass takes the same streams: autograd sees to it."""
    here = torch.cuda.current_stream(inputs[0].device)
    there = _second_stream(inputs[0].device)
    there.wait_stream(here)
    with torch.cuda.stream(there):
        right = modules[1](inputs[1])
    left = modules[0](inputs[0])
    here.wait_stream(there)
    inputs[1].record_stream(there)  # or their memory might be used anew too early
    right.record_stream(here)
    return left, right


@functools.cache
def _second_stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def prefetch(items: Iterable[Item], make: Callable[[Item], Result]) -> Iterator[Result]:
    """What ``make`` makes of each item, the next one in a thread while the last one is in use."""
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
    """A thread that shares none of torch's operations with other threads."""
    own = torch.get_num_threads()
    pool = ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,))
    # Starts it: what it sets for itself is also what new threads begin with.
    pool.submit(torch.get_num_threads).result()
    torch.set_num_threads(own)
    return pool
