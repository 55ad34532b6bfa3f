"""Weights and widths of a beam search, found on a development set.

The model hears the audio once; its log-probabilities are kept and decoded again and again. First
the weights: a pattern search (Hooke and Jeeves 1961) over language model weight and word bonus,
from the settings given, then over the weight of the units' priors, which are what the model emits
on the set, and a wider beam refines the former: what a narrow one loses on the way it makes up for
with other weights. Then the widths: the narrowest beam that costs no more than a tenth of a point
of WER against the widest. Then the weights of the second pass, if there is to be one. Last, the
confidences of words are calibrated.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from itertools import product

import numpy as np

from asr.acoustic.folder import ModelFolder
from asr.corpora.manifest import Utterance
from asr.decoding import BeamOptions, GreedyDecoder, Hypothesis, make_decoder
from asr.decoding import label_prior as prior
from asr.decoding import speech_detection as doubt
from asr.decoding.calibration import Calibration, calibration_error
from asr.decoding.decoder_config import DecoderConfig, load_parts, load_second_pass
from asr.decoding.options import MOST_PRIOR_WEIGHT, SecondPassWeights
from asr.decoding.second_pass import SecondPass, weigh
from asr.inference import load_engine, pad_rows
from asr.runtime.progress import console, track
from asr.runtime.threads import count_threads
from asr.scoring.error_rates import Score, right_words, score
from asr.transcription.recogniser import Recogniser
from asr.tuning.dev_emissions import Development, hear
from asr.tuning.rescoring_weights import Candidates, reweigh

Steps = tuple[float, float]  # of LM weight and word bonus: halved from the first to the last
_COARSE: tuple[Steps, Steps] = ((0.4, 1.0), (0.1, 0.25))
_FINE: tuple[Steps, Steps] = ((0.1, 0.25), (0.05, 0.125))
_PRIOR_STEPS = (0.2, 0.1)
# Beam size, beam threshold and token threshold, from the narrowest to the widest.
Widths = tuple[int, float, float]
_WIDTHS: tuple[Widths, ...] = (
    (12, 8.0, -5.0),
    (24, 10.0, -6.0),
    (48, 12.0, -7.0),
    (96, 14.0, -7.0),
    (192, 16.0, -7.0),
    (384, 18.0, -7.0),
    (512, 19.0, -7.0),
    (768, 20.0, -7.0),
)
_REFINING = _WIDTHS[4]  # costs a quarter of the widest
_TOLERANCE = 0.001  # of WER, for a narrower beam
_AT_A_TIME = 64  # utterances that are searched together


@dataclass(frozen=True)
class Trial:
    """One setting and what it scored."""

    options: BeamOptions
    score: Score


Attempt = Callable[[BeamOptions], Trial]


def tune_decoder(
    folder: ModelFolder,
    utterances: Sequence[Utterance],
    config: DecoderConfig,
    device: str = "auto",
    batch_size: int = 8,
) -> tuple[DecoderConfig, Trial, Sequence[str]]:
    """Finds weights and widths for the language model and lexicon of ``config``.

    Returns:
        The config with them, what it scored, and one sentence for each utterance that could not
        be read.

    Raises:
        AsrError: the language model or the lexicon won't do, or no utterance could be read.
    """
    tokenizer = folder.tokenizer_of(config.head)
    lm, lexicon = load_parts(config, tokenizer)
    second_pass = None
    if config.second_pass:
        # Its weights are not known yet. A recurrent model leaves the other head nothing to add.
        head = folder.config.intermediate_layer > 0 and not config.second_pass.recurrent
        config = _with_weights(config, SecondPassWeights(head=float(head)))
        second_pass = load_second_pass(config, folder.tokenizer_of)
    engine = load_engine(folder, device)
    recogniser = Recogniser(engine, tokenizer, GreedyDecoder(tokenizer), config.head)
    development = hear(recogniser, utterances, batch_size)
    config = config.model_copy(update={"prior": prior.measure(development.log_probs, tokenizer)})
    threads = count_threads()

    def readings(options: BeamOptions) -> Iterator[list[Hypothesis]]:
        decoder = make_decoder(
            "beam",
            tokenizer,
            options=options,
            lm=lm,
            lexicon=lexicon,
            prior=config.prior,
            threads=threads,
        )
        for start in range(0, len(development.log_probs), _AT_A_TIME):
            rows = development.log_probs[start : start + _AT_A_TIME]
            lengths = np.array([len(utterance) for utterance in rows])
            yield from decoder.decode(pad_rows(rows), lengths)

    trial = None
    for trial in search(
        lambda options: [best for best, *_ in readings(options)],
        development.references,
        config.beam,
    ):
        report(trial)
    assert trial is not None
    config = config.model_copy(update={"beam": trial.options})
    chosen = readings(trial.options)
    if second_pass and config.second_pass:
        several = config.second_pass.searched(trial.options)
        weights = _tune_second_pass(second_pass, development, readings(several))
        config = _with_weights(config, weights)
        # Searched once more: all readings of all utterances would fill the memory.
        chosen = (
            weigh(found, second_pass.evidence(found, rows), weights)
            for found, rows in zip(readings(several), development.of(second_pass.head), strict=True)
        )
    hypotheses = [best for best, *_ in chosen]
    trial = Trial(trial.options, score(development.references, [h.text for h in hypotheses]))
    calibration = calibrate(hypotheses, development.references)
    main = development.log_probs if config.head == "main" else development.other
    config = config.model_copy(
        update={
            "confidence": calibration,
            "max_doubt": doubt.limit(main or (), recogniser.seconds_per_frame),
        }
    )
    return config, trial, development.failures


def _tune_second_pass(
    second_pass: SecondPass, development: Development, readings: Iterable[list[Hypothesis]]
) -> SecondPassWeights:
    """The weights with which it makes the fewest errors."""
    count = len(development.references)
    pairs = zip(
        track(readings, "second pass", count), development.of(second_pass.head), strict=True
    )
    candidates = Candidates.of(
        ((found, second_pass.evidence(found, rows)) for found, rows in pairs),
        development.references,
    )
    weights = reweigh(candidates)
    words = candidates.words / 100
    console.print(
        f"second pass: head {weights.head:.2f}  recurrent {weights.recurrent:.2f}  "
        f"LM weight {weights.lm:+.2f}  word bonus {weights.word_bonus:+.2f}  "
        f"WER {candidates.count(np.array(astuple(weights))) / words:.2f} "
        f"(best of all readings: {candidates.fewest() / words:.2f})",
        highlight=False,
    )
    return weights


def _with_weights(config: DecoderConfig, weights: SecondPassWeights) -> DecoderConfig:
    assert config.second_pass is not None
    second_pass = config.second_pass.model_copy(update={"weights": weights})
    return config.model_copy(update={"second_pass": second_pass})


def search(
    decode: Callable[[BeamOptions], Sequence[Hypothesis]],
    references: Sequence[str],
    start: BeamOptions,
) -> Iterator[Trial]:
    """Yields every setting tried with its score; the last one is the choice.

    Args:
        decode: what the decoder makes of the development set with some settings.
        references: what was said in it, in normal form.
        start: the settings to begin with.
    """

    def attempt(options: BeamOptions) -> Trial:
        return Trial(options, score(references, [found.text for found in decode(options)]))

    best = yield from _weights(start, attempt, _COARSE)
    best = yield from _prior_weight(best, attempt)
    best = yield from _weights(_with_widths(best.options, _REFINING), attempt, _FINE)
    yield from _narrow(best.options, attempt)


def calibrate(hypotheses: Sequence[Hypothesis], references: Sequence[str]) -> Calibration:
    """The calibration of the confidences in ``hypotheses``; reports their error with it."""
    confidence = np.array([word.confidence for found in hypotheses for word in found.words])
    right = [
        agrees
        for found, reference in zip(hypotheses, references, strict=True)
        for agrees in right_words(reference, [word.text for word in found.words])
    ]
    calibration = Calibration.fit(confidence, right)
    before, after = (
        100 * calibration_error(said, right) for said in (confidence, calibration(confidence))
    )
    console.print(
        f"confidences of {len(right)} words: calibration error {before:.2f} %, then {after:.2f} %",
        highlight=False,
    )
    return calibration


def _weights(
    start: BeamOptions, attempt: Attempt, steps: tuple[Steps, Steps]
) -> Generator[Trial, None, Trial]:
    """Tries the eight neighbours of the best weights, from ever nearer by; returns the best."""
    step, finest = steps
    best = attempt(start)
    yield best
    seen = {_place(best)}
    while step >= finest:
        centre = best
        weight, bonus = _place(centre)
        for turn, other in product((-1, 0, 1), repeat=2):
            place = round(weight + turn * step[0], 4), round(bonus + other * step[1], 4)
            if place in seen or place[0] < 0:
                continue
            seen.add(place)
            trial = attempt(replace(start, lm_weight=place[0], word_bonus=place[1]))
            best = min(best, trial, key=_errors)
            yield trial
        if best is centre:
            step = step[0] / 2, step[1] / 2
    return best


def _prior_weight(best: Trial, attempt: Attempt) -> Generator[Trial, None, Trial]:
    """Goes from the best trial's weight of the priors to where no neighbour is better."""
    seen = {best.options.prior_weight}
    for step in _PRIOR_STEPS:
        centre: Trial | None = None
        while centre is not best:
            centre = best
            for turn in (-step, step):
                weight = round(centre.options.prior_weight + turn, 4)
                if weight in seen or not 0 <= weight <= MOST_PRIOR_WEIGHT:
                    continue
                seen.add(weight)
                trial = attempt(replace(centre.options, prior_weight=weight))
                best = min(best, trial, key=_errors)
                yield trial
    return best


def _narrow(options: BeamOptions, attempt: Attempt) -> Iterator[Trial]:
    """Narrows the beam from the widest on, as long as that costs next to nothing."""
    chosen: Trial | None = None
    widest = 0.0
    for widths in reversed(_WIDTHS):
        trial = attempt(_with_widths(options, widths))
        yield trial
        if chosen is None:
            widest = trial.score.wer
        elif trial.score.wer > widest + _TOLERANCE:
            break
        chosen = trial
    assert chosen is not None
    yield chosen


def _with_widths(options: BeamOptions, widths: Widths) -> BeamOptions:
    size, threshold, tokens = widths
    return replace(options, beam_size=size, beam_threshold=threshold, token_threshold=tokens)


def _place(trial: Trial) -> tuple[float, float]:
    return trial.options.lm_weight, trial.options.word_bonus


def _errors(trial: Trial) -> int:
    return trial.score.words.total


def report(trial: Trial) -> None:
    """One line on what a setting scored."""
    options = trial.options
    console.print(
        f"LM weight {options.lm_weight:.2f}  word bonus {options.word_bonus:+.2f}  "
        f"prior weight {options.prior_weight:.2f}  "
        f"beam {options.beam_size} within {options.beam_threshold:g}, "
        f"tokens above {options.token_threshold:g}  "
        f"WER {100 * trial.score.wer:.2f}",
        highlight=False,
    )
