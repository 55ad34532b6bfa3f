"""The transcriber that a command's options name."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from asr.decoding.options import DecodingOptions, parse_lm
from asr.errors import AsrError
from asr.runtime.textfile import read_text
from asr.transcription import loading
from asr.transcription.transcriber import Transcriber


def load_transcriber(options: argparse.Namespace) -> Transcriber:
    """The model and decoder that the options of :func:`asr.cli.parsers.shared.add_model` name."""
    decoding = DecodingOptions(
        decoder=options.decoder,
        config=options.config,
        lm=parse_lm(options.lm),
        lexicon=None if options.lexicon is None else str(options.lexicon),
        hotwords=tuple(_read_hotwords(options.hotwords)),
        beam_size=options.beam_size,
        nbest=options.nbest,
        rescore=not options.no_rescoring,
    )
    return loading.load_transcriber(options.model, decoding, options.device)


def _read_hotwords(argument: str | None) -> list[str]:
    """Words and phrases from a file with one a line, or from a list with commas."""
    if argument is None:
        return []
    looks_like_a_path = argument.endswith(".txt") or (os.sep in argument and "," not in argument)
    phrases = (
        read_text(Path(argument)).splitlines()
        if looks_like_a_path or os.path.isfile(argument)  # not Path's, to which a list may be long
        else argument.split(",")
    )
    found = [phrase.strip() for phrase in phrases if phrase.strip()]
    if not found:
        raise AsrError(f"there are no hot words in {argument!r}")
    return found
