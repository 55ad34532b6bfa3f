"""A BiLSTM-CTC speech recogniser: train it, transcribe with it, score it.

>>> import asr
>>> asr.load().transcribe("speech.wav").text
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr.errors import AsrError

if TYPE_CHECKING:
    from pathlib import Path

    from asr.transcribe import Transcriber

__version__ = "0.1.0"
__all__ = ["AsrError", "__version__", "load"]


def load(
    model: str | Path | None = None,
    *,
    decoder: str = "greedy",
    beam_size: int = 16,
    device: str = "auto",
) -> Transcriber:
    """Loads a model, ready to transcribe.

    Args:
        model: a model's folder or the name of a bundled one; by default the bundled default.
        decoder: ``greedy`` or ``beam``.
        beam_size: of the beam search.
        device: ``cpu``, ``cuda`` or ``auto``.

    Raises:
        AsrError: there is no such model, decoder or device, or the model is damaged.
    """
    # Here, not above: the command line answers --help without waiting for torch.
    from asr.checkpoint import load_model
    from asr.decode import make_decoder
    from asr.device import choose_device
    from asr.recognise import Recogniser
    from asr.transcribe import Transcriber

    checkpoint = load_model(model)
    chosen = make_decoder(decoder, checkpoint.tokenizer, beam_size)
    return Transcriber(Recogniser(checkpoint, chosen, choose_device(device)))
