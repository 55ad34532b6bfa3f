"""Engines that run an acoustic model, and the choice among them.

The numba engine is preferred where it supports the model: importing torch takes seconds and half a
gigabyte.
"""

from __future__ import annotations

import ctypes
import sys

from asr.acoustic.folder import WEIGHTS, ModelFolder
from asr.errors import AsrError
from asr.inference.engine import Engine, EngineOutput, pad_rows
from asr.inference.numba_engine import NumbaEngine, supports
from asr.runtime.threads import count_threads

__all__ = ["Engine", "EngineOutput", "load_engine", "pad_rows"]


def load_engine(folder: ModelFolder, device: str = "auto") -> Engine:
    """Loads a model into the fastest engine that supports it.

    Args:
        folder: the model.
        device: ``cpu``, ``cuda`` or ``auto``: CUDA where it can be used.

    Raises:
        AsrError: the device is missing, or the weights are missing, damaged or of another model.
    """
    if device == "auto":
        device = _best_device()
    if device == "cpu" and supports(folder.config):
        return _load_numba(folder)

    from asr.acoustic.checkpoint import load_model
    from asr.inference.torch_engine import TorchEngine
    from asr.runtime.device import choose_device

    return TorchEngine(load_model(folder.path).model, choose_device(device))


def _load_numba(folder: ModelFolder) -> Engine:
    units, others = len(folder.tokenizer), len(folder.intermediate_tokenizer)
    weights = folder.weights()
    try:
        return NumbaEngine(folder.config, weights, units, others, count_threads())
    except ValueError as error:
        raise AsrError(
            f"the weights in {folder.path / WEIGHTS} do not fit the config and tokenizer beside "
            "them"
        ) from error


def _best_device() -> str:
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return "cpu"  # without a driver, torch need not be imported

    from asr.runtime.device import choose_device

    return str(choose_device("auto"))
