"""Forced alignment: when the words of a known text were said.

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
        text: what is said in it.
        model: a model's folder or the name of a bundled one; by default the bundled default.
        device: ``cpu``, ``cuda`` or ``auto``.

    Raises:
        AsrError: the audio can't be read, the text can't be spelled, they don't fit, or there is
            no such model or device.
    """
    return load_aligner(model, device).align(audio, text)


def load_aligner(model: str | Path | None = None, device: str = "auto") -> Aligner:
    """Loads a model, ready to align.

    Args:
        model: a model's folder or the name of a bundled one; by default the bundled default.
        device: ``cpu``, ``cuda`` or ``auto``.

    Raises:
        AsrError: there is no such model or device, or a file is missing or damaged.
    """
    from asr.acoustic.folder import open_model
    from asr.decoding import make_decoder
    from asr.inference import load_engine
    from asr.tokenizers.tokenizer import BpeTokenizer
    from asr.transcription.recogniser import Recogniser

    folder = open_model(model)
    head: HeadName = "main"
    if folder.tokenizer.kind == BpeTokenizer.kind and folder.config.intermediate_layer:
        head = "intermediate"  # pieces of words say little of when a word began
    tokenizer = folder.tokenizer_of(head)
    decoder = make_decoder("greedy", tokenizer)  # nothing is decoded
    return Aligner(Recogniser(load_engine(folder, device), tokenizer, decoder, head))
