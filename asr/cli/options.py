"""What several commands share: options, and the model that they ask for."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from asr.errors import AsrError

if TYPE_CHECKING:
    from asr.transcription.transcriber import Transcriber

# What every command adds its parser to.
Groups: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

DECODERS = ("greedy", "beam")  # repeated from asr.decoding, which would bring numpy along


def complain(message: object) -> None:
    """One line on standard error, without breaking a progress bar."""
    from asr.runtime.progress import console

    console.print(f"asr: {message}", markup=False, highlight=False, soft_wrap=True)


def add_recipe(parser: argparse.ArgumentParser) -> None:
    """A recipe and settings that replace its own."""
    parser.add_argument("recipe", type=Path, help="a YAML file, such as those in recipes/")
    parser.add_argument(
        "settings", nargs="*", metavar="key=value", help="settings that replace the recipe's"
    )


def add_model(parser: argparse.ArgumentParser) -> None:
    """A model and its decoder, as :func:`load_transcriber` takes them."""
    parser.add_argument(
        "--model", metavar="NAME_OR_DIR", help="a model's folder or a bundled model's name"
    )
    parser.add_argument(
        "--decoder", choices=DECODERS, help="default: beam where the model comes with it"
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="of the decoder, as asr tune writes it"
    )
    parser.add_argument("--lm", metavar="LM", help="a language model, or none (default: its own)")
    parser.add_argument("--lexicon", type=Path, metavar="FILE", help="how words are made of units")
    parser.add_argument(
        "--hotwords",
        metavar="FILE_OR_LIST",
        help="words and phrases to favour: a file with one a line, or a list with commas",
    )
    parser.add_argument("--beam-size", type=positive, metavar="N", help="of the beam decoder")
    parser.add_argument(
        "--nbest", type=positive, default=1, metavar="N", help="how many readings, best first"
    )
    parser.add_argument(
        "--no-rescoring", action="store_true", help="take the search's word for what is best"
    )
    parser.add_argument(
        "--batch-size", type=positive, default=8, metavar="N", help="files at a time"
    )
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto")


def load_transcriber(options: argparse.Namespace) -> Transcriber:
    """The model and decoder that :func:`add_model`'s options ask for."""
    import asr

    return asr.load(
        options.model,
        decoder=options.decoder,
        config=options.config,
        lm=options.lm,
        lexicon=options.lexicon,
        hotwords=_read_hotwords(options.hotwords),
        beam_size=options.beam_size,
        nbest=options.nbest,
        rescore=not options.no_rescoring,
        device=options.device,
    )


def _read_hotwords(argument: str | None) -> list[str]:
    """Words and phrases from a file with one a line, or from a list with commas."""
    from asr.runtime.textfile import read_text

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


def positive(text: str) -> int:
    """A whole number above zero, for argparse."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above zero")
    return number
