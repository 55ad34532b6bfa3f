"""A model's folder and a user's decoding options made into a transcriber."""

from __future__ import annotations

from pathlib import Path

from asr.acoustic.folder import open_model
from asr.decoding.decoder_choice import choose_decoder
from asr.decoding.options import DecodingOptions
from asr.inference import load_engine
from asr.runtime.threads import count_threads
from asr.transcription.recogniser import Recogniser
from asr.transcription.transcriber import Transcriber


def load_transcriber(
    model: str | Path | None, options: DecodingOptions, device: str = "auto"
) -> Transcriber:
    """Loads a model with its decoder.

    Args:
        model: a model's folder or the name of a bundled one; None for the bundled default.
        options: how to decode.
        device: ``cpu``, ``cuda`` or ``auto``.

    Raises:
        AsrError: there is no such model, decoder or device, or a file is missing or damaged.
    """
    folder = open_model(model)
    choice = choose_decoder(folder.tokenizer_of, folder.path, options, count_threads())
    recogniser = Recogniser(
        load_engine(folder, device),
        folder.tokenizer_of(choice.head),
        choice.decoder,
        choice.head,
        choice.second_pass,
        choice.max_entropy,
    )
    return Transcriber(recogniser)
