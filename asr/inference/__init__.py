"""What runs an acoustic model: signals in, log-probabilities out.

Without torch where that will do, because to import it takes seconds and half a gigabyte.
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
    """Loads the weights of a model into the engine that runs it best.

    Args:
        folder: the model.
        device: ``cpu``, ``cuda`` or ``auto``: CUDA where it can be used.

    Raises:
        AsrError: the device is not there, or the weights are missing, damaged or of another model.
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
        return "cpu"  # without a driver torch need not be asked

    from asr.runtime.device import choose_device

    return str(choose_device("auto"))
