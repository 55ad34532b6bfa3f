"""Options that several commands share, and the types of their values."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TypeAlias

from asr.config.choices import DECODERS, TRANSCRIPT_FORMATS

# What each command adds its parser to.
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

TRANSCRIPTS_READ = (
    "Transcripts are read from trn files (text, utterance id in parentheses), text files "
    "(utterance id, text), JSON lines and manifests (utterance_id, text; of a hypothesis "
    "pred_text), NIST's stm (reference) and ctm (hypothesis), tables, subtitles of one recording "
    "(srt, vtt, tsv), folders in LibriSpeech's layout, and folders that transcribe -o wrote. In "
    "trn, stm and ctm { a / b / @ } are alternatives, and texts with them are aligned as sclite "
    "does."
)


def add_recipe(parser: argparse.ArgumentParser) -> None:
    """A recipe and settings that replace its own."""
    parser.add_argument("recipe", type=Path, help="a YAML file, such as those in recipes/")
    parser.add_argument(
        "settings", nargs="*", metavar="key=value", help="settings that replace the recipe's"
    )


def add_model(parser: argparse.ArgumentParser) -> None:
    """A model and its decoder, as :func:`asr.cli.transcriber.load_transcriber` takes them."""
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


def add_transcript_reading(parser: argparse.ArgumentParser) -> None:
    """How transcripts are read, and in which form they are compared: by default as they are."""
    parser.add_argument(
        "--format",
        choices=TRANSCRIPT_FORMATS,
        help="of the files: stm of REF, ctm of HYP, else of all (default: each tells)",
    )
    parser.add_argument(
        "--speakers",
        metavar="FILE",
        help="who speaks: a file of utterance id and speaker (Kaldi's utt2spk), or 'id' for what "
        "stands before the first hyphen of the id (default: as the reference says)",
    )
    parser.add_argument("--ignore-case", action="store_true", help="compare in upper case")
    parser.add_argument(
        "--normalise",
        action="store_true",
        help="compare in the form of LibriSpeech: upper case, no accents, no punctuation but the "
        "apostrophe within words",
    )
    parser.add_argument(
        "--glm",
        type=Path,
        metavar="FILE",
        help="rewrite texts by NIST's global mapping rules first",
    )
    parser.add_argument(
        "-D",
        "--optional-words",
        action="store_true",
        help="words in parentheses may be left out, as with sclite -D",
    )
    parser.add_argument(
        "-F",
        "--fragments",
        action="store_true",
        help="th- matches every word that begins with th, as with sclite -F",
    )


def add_score_outputs(parser: argparse.ArgumentParser) -> None:
    """What is printed and written of a score."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    parser.add_argument(
        "--details",
        action="store_true",
        help="show errors by speaker, length and word as well (in the JSON they always are)",
    )
    parser.add_argument(
        "--alignments", action="store_true", help="show each utterance with its errors marked"
    )
    parser.add_argument(
        "--sclite",
        type=Path,
        metavar="DIR",
        help="write trn files for NIST's sclite, and stm and ctm where times are known",
    )


def positive(text: str) -> int:
    """A whole number above zero, for argparse."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above zero")
    return number
