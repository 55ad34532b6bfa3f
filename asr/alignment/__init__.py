"""Forced alignment of recordings with their texts.

>>> from asr.alignment import align
>>> [(word.text, word.start) for word in align("speech.wav", "hello world").words]
"""

from __future__ import annotations

from pathlib import Path

from asr.alignment.aligner import Aligner
from asr.alignment.result import AlignedUnit, AlignedWord, Alignment
from asr.config.schema import HeadName

__all__ = ["AlignedUnit", "AlignedWord", "Aligner", "Alignment", "align", "load_aligner"]


def align(
    audio: str | Path, text: str, *, model: str | Path | None = None, device: str = "auto"
) -> Alignment:
    """Aligns one recording; for several, load an :class:`Aligner` once.

    Args:
        audio: the file, of any length.
        text: its transcript.
        model: a model's folder or the name of a bundled one; by default the bundled default.
        device: ``cpu``, ``cuda`` or ``auto``.

    Raises:
        AsrError: the audio can't be read, the text can't be spelled or does not fit the audio, or
            there is no such model or device.
    """
    return load_aligner(model, device).align(audio, text)


def load_aligner(model: str | Path | None = None, device: str = "auto") -> Aligner:
    """Loads a model, ready to align.

    Args:
        model: a model's folder or the name of a bundled one; by default the bundled default.
        device: ``cpu``, ``cuda`` or ``auto``.

    Raises:
        AsrError: there is no such model or device, or a file of the model is missing or damaged.
    """
    from asr.acoustic.folder import open_model
    from asr.decoding import make_decoder
    from asr.inference import load_engine
    from asr.tokenizers.tokenizer import BpeTokenizer
    from asr.transcription.recogniser import Recogniser

    folder = open_model(model)
    head: HeadName = "main"
    if folder.tokenizer.kind == BpeTokenizer.kind and folder.config.intermediate_layer:
        head = "intermediate"  # pieces of words time the start of a word badly
    tokenizer = folder.tokenizer_of(head)
    decoder = make_decoder("greedy", tokenizer)  # required by Recogniser, but never decodes
    return Aligner(Recogniser(load_engine(folder, device), tokenizer, decoder, head))
