"""Where and in which precision the arithmetic is done."""

from __future__ import annotations

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
    with warnings.catch_warnings():  # a machine without a driver is no reason to warn
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
    """Settles ``auto``: what trains faster here, measured on the CPU, known on CUDA.

    On the CPU that is bfloat16 only where the processor multiplies it at full rate. On CUDA it is
    float16, the only one in which torch lets cuDNN keep recurrent weights on the chip.
    """
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "float16"
    return min(("float32", "bfloat16"), key=_step_seconds)


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """The context in which a forward pass runs in ``precision``."""
    dtype = _DTYPES[precision]
    return torch.autocast(device.type, dtype, enabled=dtype != torch.float32)


def _step_seconds(precision: str) -> float:
    """The best of three training steps of a small LSTM on the CPU."""
    layer = nn.LSTM(320, 320)
    inputs = torch.ones(100, 10, 320)
    times = []
    for _ in range(4):
        start = time.perf_counter()
        with autocast(precision, torch.device("cpu")):
            outputs = layer(inputs)[0]
        outputs.float().sum().backward()
        times.append(time.perf_counter() - start)
    return min(times[1:])
