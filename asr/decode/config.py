"""Settings of a beam search as a file: what ``asr tune`` finds, and what a model's folder keeps.

Paths in it are seen from the file's folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from asr.config import HeadName, Section, read_yaml, to_yaml, validate
from asr.decode import make_decoder
from asr.decode.calibration import Calibration
from asr.decode.hypothesis import Decoder
from asr.decode.options import BeamOptions
from asr.errors import AsrError
from asr.files import write_text
from asr.tokenizer import PhoneTokenizer, Tokenizer

if TYPE_CHECKING:
    from asr.decode.tree import LexiconTree
    from asr.lm import NgramModel

DECODER = "decoder.yaml"  # its name in a model's folder


class DecoderConfig(Section):
    """Language model, lexicon, weights and widths."""

    head: HeadName = "main"  # of the model; phones need a lexicon to become words
    lm: str | None = None
    lexicon: str | None = None  # by default the language model's words, spelled or pronounced
    beam: BeamOptions = BeamOptions()
    confidence: Calibration = Calibration()


def read_decoder_config(path: str | Path) -> DecoderConfig:
    """Reads a file of settings; its paths come out as seen from the working folder.

    Raises:
        AsrError: the file can't be read, or a key or a value is wrong.
    """
    path = Path(path)
    config = validate(DecoderConfig, read_yaml(path), f"the decoder config {path}")
    seen = {key: str(path.parent / name) for key, name in _paths(config).items()}
    return config.model_copy(update=seen)


def write_decoder_config(path: str | Path, config: DecoderConfig) -> None:
    """Writes what :func:`read_decoder_config` reads; paths near the file become relative to it."""
    folder = Path(path).resolve().parent
    stored = {}
    for key, name in _paths(config).items():
        absolute = Path(os.path.abspath(name))
        inside = absolute.is_relative_to(folder)
        stored[key] = str(absolute.relative_to(folder) if inside else absolute)
    write_text(path, to_yaml(config.model_copy(update=stored)))


def choose_decoder(
    tokenizer_of: Callable[[HeadName], Tokenizer],
    folder: Path,
    *,
    decoder: str | None = None,
    config: str | Path | None = None,
    lm: str | Path | None = None,
    lexicon: str | Path | None = None,
    hotwords: Iterable[str] = (),
    beam_size: int | None = None,
    nbest: int = 1,
    threads: int = 1,
) -> tuple[Decoder, HeadName]:
    """The decoder that a user asks for (:func:`asr.load`) of the model in ``folder``.

    Args:
        tokenizer_of: the units of each head.

    Returns:
        The decoder, and the head that it reads.

    Raises:
        AsrError: the wishes don't agree, or a file can't be read or doesn't fit the units.
    """
    hotwords = list(hotwords)
    wishes = {
        "a decoder config": config,
        "a language model": lm,
        "a lexicon": lexicon,
        "hot words": hotwords,
        "a beam size": beam_size,
        "several readings": nbest > 1,
    }
    wished = [name for name, wish in wishes.items() if wish]
    if decoder == "greedy" and wished:
        raise AsrError(f"the greedy decoder takes no {wished[0].removeprefix('a ')}; choose beam")
    own = folder / DECODER
    if decoder == "greedy" or (decoder is None and not wished and not own.exists()):
        return make_decoder("greedy", tokenizer_of("main")), "main"
    if decoder not in (None, "beam"):
        return make_decoder(decoder, tokenizer_of("main")), "main"  # which says that there is none
    # Without the language model that they were tuned for, the model's own settings say nothing.
    alone = str(lm) == "none" and lexicon is None
    source = config or (own if own.exists() and not alone else None)
    settings = read_decoder_config(source) if source else DecoderConfig()
    beam = replace(settings.beam, nbest=nbest, beam_size=beam_size or settings.beam.beam_size)
    changed: dict[str, object] = {"beam": beam}
    if lm is not None:
        changed |= {"lm": None, "lexicon": None} if str(lm) == "none" else {"lm": str(lm)}
    if lexicon is not None:
        changed["lexicon"] = str(lexicon)
    settings = settings.model_copy(update=changed)
    # Without words to look for, the main head is read: it is the one whose units are text.
    head = settings.head if settings.lm or settings.lexicon else "main"
    tokenizer = tokenizer_of(head)
    found_lm, tree = load_parts(settings, tokenizer)
    chosen = make_decoder(
        "beam",
        tokenizer,
        options=beam,
        lm=found_lm,
        lexicon=tree,
        hotwords=hotwords,
        calibration=settings.confidence,
        threads=threads,
    )
    return chosen, head


def load_parts(
    config: DecoderConfig, tokenizer: Tokenizer
) -> tuple[NgramModel | None, LexiconTree | None]:
    """The language model of ``config``, and its words as the tokenizer's units.

    Raises:
        AsrError: a file can't be read, or the lexicon doesn't fit the units.
    """
    from asr.decode.tree import LexiconTree, spelled

    lm = None
    if config.lm:
        from asr.lm import load

        lm = load(config.lm)
    if config.lexicon:
        from asr.lexicon import Lexicon

        entries, missing = Lexicon.read(config.lexicon).entries(tokenizer)
        if not entries:
            raise AsrError(
                f"the lexicon {config.lexicon} does not fit the model: it spells {missing[0]!r} "
                f"with units that are none of the model's {tokenizer.kind}"
            )
        return lm, LexiconTree.build(entries)
    if lm is None:
        return None, None
    words = lm.words[3:]  # behind <unk>, <s> and </s>
    if tokenizer.kind == PhoneTokenizer.kind:
        from asr.lexicon.build import build_lexicon
        from asr.lexicon.pronouncer import english

        return lm, LexiconTree.build(build_lexicon(words, english())[0].entries(tokenizer)[0])
    return lm, LexiconTree.build(spelled(words, tokenizer))


def _paths(config: DecoderConfig) -> dict[str, str]:
    paths = {"lm": config.lm, "lexicon": config.lexicon}
    return {key: name for key, name in paths.items() if name is not None}
