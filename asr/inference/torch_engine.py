"""The acoustic model in torch: any model, on the CPU or a GPU."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from asr.acoustic.network import AcousticModel, Emissions
from asr.audio.read import Samples
from asr.features.log_mel import extract_batch
from asr.features.mel import FRAMES_PER_SECOND
from asr.inference.engine import EngineOutput

# Inputs are padded to a multiple of this: oneDNN caches some 4 MB for each length it has met.
_FRAMES = 128


class TorchEngine:
    """An :class:`asr.inference.engine.Engine`.

    Args:
        model: in evaluation mode.
        device: runs the model; by default the CPU.
    """

    def __init__(self, model: AcousticModel, device: torch.device | None = None) -> None:
        self._device = device or torch.device("cpu")
        self._model = model.to(self._device)
        self.device = str(self._device)
        self.seconds_per_frame = model.frames_per_emission / FRAMES_PER_SECOND

    @torch.inference_mode()
    def emit(self, signals: Sequence[Samples]) -> EngineOutput:
        """See :class:`asr.inference.engine.Engine`.

        The CPU runs signals one by one, so that a result is the same to the bit in any batch.
        Batches of eight would be twice as fast, but differ in the sixth digit.
        """
        if self._device.type != "cpu":
            return self._emit(signals)
        return EngineOutput.concatenate([self._emit([signal]) for signal in signals])

    def _emit(self, signals: Sequence[Samples]) -> EngineOutput:
        samples = [len(signal) for signal in signals]
        padded = pad_sequence([torch.from_numpy(signal) for signal in signals], batch_first=True)
        bins = self._model.config.mel_bins
        features, lengths = extract_batch(padded.to(self._device), samples, bins)
        features = functional.pad(features, (0, 0, 0, -features.shape[1] % _FRAMES))
        emissions: Emissions = self._model(features, lengths)
        intermediate = emissions.intermediate
        return EngineOutput(
            emissions.log_probs.cpu().numpy(),
            emissions.lengths.cpu().numpy(),
            None if intermediate is None else intermediate.cpu().numpy(),
        )
