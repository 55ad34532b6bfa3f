"""A BiLSTM-CTC speech recogniser: train it, transcribe with it, score it.

>>> import asr
>>> asr.load().transcribe("speech.wav").text

A recording of any length can be read as it is transcribed, by :class:`Segment`:

>>> for segment in asr.load().segments("lecture.mp3"):
...     print(f"{segment.start:8.2f} {segment.text}")
...     for word in segment.words:
...         print(f"{word.start:8.2f} {word.end:8.2f} {word.confidence:.2f} {word.text}")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr.errors import AsrError
from asr.transcript import Reading, Segment, Transcript, Word

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from asr.transcription.transcriber import Transcriber

__version__ = "0.1.0"
__all__ = ["AsrError", "Reading", "Segment", "Transcript", "Word", "__version__", "load"]


def load(
    model: str | Path | None = None,
    *,
    decoder: str | None = None,
    config: str | Path | None = None,
    lm: str | Path | None = None,
    lexicon: str | Path | None = None,
    hotwords: Iterable[str] = (),
    beam_size: int | None = None,
    nbest: int = 1,
    rescore: bool = True,
    device: str = "auto",
) -> Transcriber:
    """Loads a model, ready to transcribe.

    Args:
        model: a model's folder or the name of a bundled one; by default the bundled default.
        decoder: ``greedy`` or ``beam``; by default a beam search if the model brings a decoder
            config or one of the arguments below is given.
        config: a decoder config, as ``asr tune`` writes it, instead of the model's own.
        lm: a language model instead of the config's; ``none`` for none.
        lexicon: a lexicon, words spelled in units, instead of the config's.
        hotwords: words and phrases that the beam search favours.
        beam_size: of the beam search, instead of the config's.
        nbest: the number of hypotheses of each utterance (``readings``), best first.
        rescore: rescore the n-best list by the config's second pass, if it has one.
        device: ``cpu``, ``cuda`` or ``auto``.

    Raises:
        AsrError: there is no such model, decoder or device, or a file is missing or damaged.
    """
    # Here, not above: the command line answers --help without waiting for them.
    from asr.decoding.options import DecodingOptions, parse_lm
    from asr.transcription.loading import load_transcriber

    options = DecodingOptions(
        decoder=decoder,
        config=config,
        lm=parse_lm(lm),
        lexicon=None if lexicon is None else str(lexicon),
        hotwords=tuple(hotwords),
        beam_size=beam_size,
        nbest=nbest,
        rescore=rescore,
    )
    return load_transcriber(model, options, device)
