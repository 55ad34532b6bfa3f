"""Two things at once on two cores.

A recurrent step is a small matrix product; two threads that share each of them spend their time
waiting for one another. The two directions of a layer have nothing to wait for, so on the CPU
each is given a thread of its own, in the forward and in the backward pass. The results are the
same to the bit as one after the other on one thread. On a GPU each is given a stream.

What a step of training begins with does not wait for the step before: it is made in a thread, too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(
    modules: tuple[nn.Module, nn.Module], inputs: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Applies each module to its own input.

    In parallel on a CPU with two threads or more, and on CUDA in two streams; elsewhere one after
    the other.
    """
    if inputs[0].is_cuda:
        return _in_two_streams(modules, inputs)
    if inputs[0].device.type != "cpu" or torch.get_num_threads() < 2:
        return modules[0](inputs[0]), modules[1](inputs[1])
    if not torch.is_grad_enabled():
        return _both(*map(_in_this_mode, modules, inputs))
    parameters = [list(module.parameters()) for module in modules]
    left, right = _SideBySide.apply(  # type: ignore[no-untyped-call]
        modules, len(parameters[0]), *inputs, *parameters[0], *parameters[1]
    )
    return left, right


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


class _SideBySide(torch.autograd.Function):
    """Each module builds a graph of its own in its thread; the backward pass walks both."""

    @staticmethod
    def forward(
        ctx: Any,
        modules: tuple[nn.Module, nn.Module],
        split: int,
        left: Tensor,
        right: Tensor,
        *parameters: Tensor,
    ) -> tuple[Tensor, Tensor]:
        inputs = [half.detach().requires_grad_() for half in (left, right)]
        with torch.enable_grad():
            outputs = _both(*map(_in_this_mode, modules, inputs))
        ctx.halves = tuple(
            zip(inputs, outputs, (parameters[:split], parameters[split:]), strict=True)
        )
        return outputs[0].detach(), outputs[1].detach()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        def run(
            half: tuple[Tensor, Tensor, Sequence[Tensor]], gradient: Tensor
        ) -> Sequence[Tensor]:
            inputs, outputs, parameters = half
            return torch.autograd.grad(outputs, (inputs, *parameters), gradient)

        left, right = _both(
            *(functools.partial(run, h, g) for h, g in zip(ctx.halves, gradients, strict=True))
        )
        return None, None, left[0], right[0], *left[1:], *right[1:]


def _in_this_mode(module: nn.Module, inputs: Tensor) -> Callable[[], Tensor]:
    """A call of ``module`` in the calling thread's modes, which torch keeps for each thread."""
    grad, inference = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
    cast, dtype = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")

    def call() -> Tensor:
        with (
            torch.inference_mode(inference),
            torch.set_grad_enabled(grad),
            torch.autocast("cpu", dtype, enabled=cast),
        ):
            outputs: Tensor = module(inputs)
            return outputs

    return call


def _both(first: Callable[[], Result], second: Callable[[], Result]) -> tuple[Result, Result]:
    futures = [_pool().submit(call) for call in (first, second)]
    return futures[0].result(), futures[1].result()


def ahead(items: Iterable[Item], make: Callable[[Item], Result]) -> Iterator[Result]:
    """What ``make`` makes of each item, the next one in a thread while the last one is in use."""
    iterator = iter(items)

    def following() -> list[Result]:
        return [make(item) for item in islice(iterator, 1)]

    with _threads(1) as pool:
        future = pool.submit(following)
        while made := future.result():
            future = pool.submit(following)
            yield made[0]


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return _threads(2)


def _threads(count: int) -> ThreadPoolExecutor:
    """Threads that share none of torch's operations with other threads."""
    own = torch.get_num_threads()
    pool = ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,))
    # Starts all of them: what they set for themselves is also what new threads begin with.
    for future in [pool.submit(torch.get_num_threads) for _ in range(count)]:
        future.result()
    torch.set_num_threads(own)
    return pool
