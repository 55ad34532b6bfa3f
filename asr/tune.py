"""Weights and widths of a beam search, found on a development set.

The model hears the audio once; its log-probabilities are kept and decoded again and again. First
the weights: a pattern search (Hooke and Jeeves 1961) over language model weight and word bonus,
from the settings given. Then the widths: the narrowest beam that costs no more than a tenth of a
point of WER against the widest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import torch
from torch import Tensor

from asr.audio import load_audio
from asr.checkpoint import Checkpoint
from asr.decode import BeamOptions, GreedyDecoder, make_decoder
from asr.decode.config import DecoderConfig, load_parts
from asr.decode.tree import LexiconTree
from asr.errors import AsrError
from asr.lm import NgramModel
from asr.manifest import Utterance
from asr.progress import console, track
from asr.recognise import Recogniser
from asr.score import Score, score
from asr.text import normalise
from asr.tokenizer import Tokenizer

_STEPS = (0.4, 1.0)  # of LM weight and word bonus, halved until they are below
_FINEST = (0.04, 0.1)
# Beam size and threshold, from the narrowest to the widest.
_WIDTHS = ((12, 8.0), (24, 10.0), (48, 12.0), (96, 14.0), (192, 16.0), (384, 18.0))
_TOLERANCE = 0.001  # of WER, for a narrower beam


@dataclass(frozen=True)
class Development:
    """What a model says about a set of utterances, and what was said."""

    log_probs: Sequence[Tensor]  # (frames, units) of each utterance
    references: Sequence[str]  # in normal form
    failures: Sequence[str]  # one sentence for each utterance whose audio could not be read


@dataclass(frozen=True)
class Trial:
    """One setting and what it scored."""

    options: BeamOptions
    score: Score


def tune_decoder(
    checkpoint: Checkpoint,
    utterances: Sequence[Utterance],
    config: DecoderConfig,
    device: torch.device,
    batch_size: int = 8,
) -> tuple[DecoderConfig, Trial, Sequence[str]]:
    """Finds weights and widths for the language model and lexicon of ``config``.

    Returns:
        The config with them, what it scored, and one sentence for each utterance that could not
        be read.

    Raises:
        AsrError: the language model or the lexicon won't do, or no utterance could be read.
    """
    tokenizer = checkpoint.tokenizer_of(config.head)
    parts = load_parts(config, tokenizer)
    recogniser = Recogniser(checkpoint, GreedyDecoder(tokenizer), device, config.head)
    development = hear(recogniser, utterances, batch_size)
    trial = None
    for trial in search(tokenizer, development, *parts, config.beam):
        report(trial)
    assert trial is not None
    return config.model_copy(update={"beam": trial.options}), trial, development.failures


def hear(recogniser: Recogniser, utterances: Sequence[Utterance], batch_size: int) -> Development:
    """Runs the acoustic model over ``utterances``, those of like length together."""
    order = sorted(range(len(utterances)), key=lambda i: utterances[i].duration)
    found: dict[int, Tensor] = {}
    failures = []
    starts = range(0, len(order), batch_size)
    for start in track(starts, "listening", len(starts)):
        signals = {}
        for index in order[start : start + batch_size]:
            try:
                signals[index] = load_audio(utterances[index].audio_filepath)
            except AsrError as error:
                failures.append(f"{utterances[index].utterance_id}: {error}")
        if signals:
            log_probs, lengths = recogniser.log_probs(list(signals.values()))
            rows = zip(signals, log_probs.cpu(), lengths.tolist(), strict=True)
            found |= {index: row[:length].clone() for index, row, length in rows}
    if not found:
        raise AsrError(f"none of the {len(utterances)} audio files to tune on could be read")
    heard = sorted(found)
    references = [normalise(utterances[index].text) for index in heard]
    return Development([found[index] for index in heard], references, failures)


def search(
    tokenizer: Tokenizer,
    development: Development,
    lm: NgramModel | None,
    lexicon: LexiconTree | None,
    start: BeamOptions,
) -> Iterator[Trial]:
    """Yields every setting tried with its score; the last one is the choice.

    Args:
        tokenizer: the units.
        development: what :func:`hear` gave.
        lm: the language model.
        lexicon: the words.
        start: the settings to begin with.
    """
    threads = torch.get_num_threads()

    def attempt(options: BeamOptions) -> Trial:
        decoder = make_decoder(
            "beam", tokenizer, options=options, lm=lm, lexicon=lexicon, threads=threads
        )
        lengths = torch.tensor([len(rows) for rows in development.log_probs])
        padded = torch.nn.utils.rnn.pad_sequence(list(development.log_probs), batch_first=True)
        hypotheses = [best.text for best, *_ in decoder.decode(padded, lengths)]
        return Trial(options, score(development.references, hypotheses))

    best = attempt(start)
    yield best
    for trial in _weights(best, attempt):
        best = min(best, trial, key=_errors)
        yield trial
    yield from _widths(best, attempt)


def _weights(best: Trial, attempt: Callable[[BeamOptions], Trial]) -> Iterator[Trial]:
    """Tries the eight neighbours of the best weights, from ever nearer by."""
    steps = _STEPS
    seen = {_place(best)}
    while steps[0] > _FINEST[0] or steps[1] > _FINEST[1]:
        centre = best
        weight, bonus = _place(centre)
        for turn, other in product((-1, 0, 1), repeat=2):
            place = round(weight + turn * steps[0], 4), round(bonus + other * steps[1], 4)
            if place in seen or place[0] < 0:
                continue
            seen.add(place)
            trial = attempt(replace(centre.options, lm_weight=place[0], word_bonus=place[1]))
            best = min(best, trial, key=_errors)
            yield trial
        if best is centre:
            steps = steps[0] / 2, steps[1] / 2


def _widths(best: Trial, attempt: Callable[[BeamOptions], Trial]) -> Iterator[Trial]:
    """Narrows the beam from the widest on, as long as that costs next to nothing."""
    chosen: Trial | None = None
    widest = 0.0
    for size, threshold in reversed(_WIDTHS):
        trial = attempt(replace(best.options, beam_size=size, beam_threshold=threshold))
        yield trial
        if chosen is None:
            widest = trial.score.wer
        elif trial.score.wer > widest + _TOLERANCE:
            break
        chosen = trial
    assert chosen is not None
    yield chosen


def _place(trial: Trial) -> tuple[float, float]:
    return trial.options.lm_weight, trial.options.word_bonus


def _errors(trial: Trial) -> int:
    return trial.score.words.total


def report(trial: Trial) -> None:
    """One line on what a setting scored."""
    options = trial.options
    console.print(
        f"LM weight {options.lm_weight:.2f}  word bonus {options.word_bonus:+.2f}  "
        f"beam {options.beam_size} within {options.beam_threshold:g}  "
        f"WER {100 * trial.score.wer:.2f}",
        highlight=False,
    )
