"""Choice of device and precision."""

from __future__ import annotations

import math
import time
import warnings

import torch
from torch import nn

from asr.errors import AsrError

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device(name: str = "auto") -> torch.device:
    """``auto`` is the first CUDA device, or the CPU where there is none.

    Raises:
        AsrError: the device is not there.
    """
    with warnings.catch_warnings():  # torch warns about a missing driver
        warnings.simplefilter("ignore")
        has_cuda = torch.cuda.is_available()
    if name == "auto":
        return torch.device("cuda" if has_cuda else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise AsrError(f"there is no device {name!r}; choose cpu or cuda") from error
    if device.type == "cuda" and not has_cuda:
        raise AsrError(f"the device {name} was asked for, but no CUDA device can be used here")
    if device.type not in ("cpu", "cuda"):
        raise AsrError(f"the device {name} is not supported; choose cpu or cuda")
    if device.type == "cuda" and (device.index or 0) >= (count := torch.cuda.device_count()):
        raise AsrError(
            f"the device {name} was asked for, but the last CUDA device here is cuda:{count - 1}"
        )
    return device


def choose_precision(precision: str, device: torch.device) -> str:
    """Resolves ``auto`` to the precision that trains fastest: measured on the CPU, fixed on CUDA.

    On the CPU bfloat16 wins only where the processor multiplies it at full rate. On CUDA float16 is
    the only type for which torch lets cuDNN keep recurrent weights on the chip.

    Raises:
        AsrError: the device can't train an LSTM in the requested precision.
    """
    if precision != "auto":
        if precision != "float32" and not math.isfinite(_step_seconds(precision, device)):
            raise AsrError(
                f"the {device.type} of this machine can't train an LSTM in {precision}; set the "
                "precision to auto or float32"
            )
        return precision
    if device.type == "cuda":
        return "float16"
    return min(("float32", "bfloat16"), key=lambda name: _step_seconds(name, device))


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """The context in which a forward pass runs in ``precision``."""
    dtype = _DTYPES[precision]
    return torch.autocast(device.type, dtype, enabled=dtype != torch.float32)


def _step_seconds(precision: str, device: torch.device) -> float:
    """The fastest of three training steps of a small LSTM; infinity if the device can't run one.

    Only a trial tells: oneDNN, for example, has no bfloat16 LSTM without AVX-512.
    """
    with torch.random.fork_rng():  # the trial must not change later random draws
        layer = nn.LSTM(320, 320, device=device)
    inputs = torch.ones(100, 10, 320, device=device)
    times = []
    for _ in range(4):
        start = time.perf_counter()
        try:
            with autocast(precision, device):
                outputs = layer(inputs)[0]
            outputs.float().sum().backward()
        except RuntimeError:
            return math.inf
        times.append(time.perf_counter() - start)
    return min(times[1:])
