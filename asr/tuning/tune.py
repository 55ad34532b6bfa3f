"""Tunes weights and widths of a beam search on a development set.

The acoustic model runs once; its log-probabilities are kept and decoded again and again. First the
weights are tuned: by a pattern search (Hooke and Jeeves 1961) over language model weight and word
bonus, then over the weight of the units' priors, whose shares are measured on the set, and again
over the former two with a wider beam, because a narrow beam compensates its losses by other
weights. Then the widths: the narrowest beam that costs at most a tenth of a point of WER against
the widest. Then the weights of the second pass, if the config has one. Last, the confidences of
words are calibrated.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from itertools import product

import numpy as np

from asr.acoustic.folder import ModelFolder
from asr.corpora.manifest import Utterance
from asr.decoding import BeamOptions, GreedyDecoder, Hypothesis, label_prior, make_decoder
from asr.decoding.calibration import Calibration, calibration_error
from asr.decoding.decoder_choice import load_lm_and_lexicon, load_second_pass
from asr.decoding.decoder_config import DecoderConfig
from asr.decoding.options import MOST_PRIOR_WEIGHT, SecondPassWeights
from asr.decoding.second_pass import SecondPass, reorder
from asr.decoding.speech_detection import fit_max_entropy
from asr.inference import load_engine, pad_rows
from asr.runtime.progress import console, track
from asr.runtime.threads import count_threads
from asr.scoring.error_rates import Score, right_words, score
from asr.transcription.recogniser import Recogniser
from asr.tuning.dev_emissions import DevEmissions, compute_emissions
from asr.tuning.rescoring_weights import Candidates, tune_rescoring_weights

Steps = tuple[float, float]  # of LM weight and word bonus, from the first to the finest, halving
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
_AT_A_TIME = 64  # utterances that are decoded together


@dataclass(frozen=True)
class Trial:
    """Beam search options and their score."""

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
        The config with them, its score, and one sentence for each utterance that could not be
        read.

    Raises:
        AsrError: the language model or the lexicon can't be used, or no utterance could be read.
    """
    tokenizer = folder.tokenizer_of(config.head)
    lm, lexicon = load_lm_and_lexicon(config, tokenizer)
    second_pass = None
    if config.second_pass:
        # Its weights are not known yet. Beside an LSTM, the other head's term brings nothing.
        head = folder.config.intermediate_layer > 0 and not config.second_pass.recurrent
        config = _with_weights(config, SecondPassWeights(head=float(head)))
        second_pass = load_second_pass(config, folder.tokenizer_of)
    engine = load_engine(folder, device)
    recogniser = Recogniser(engine, tokenizer, GreedyDecoder(tokenizer), config.head)
    development = compute_emissions(recogniser, utterances, batch_size)
    config = config.model_copy(
        update={"prior": label_prior.measure(development.log_probs, tokenizer)}
    )
    threads = count_threads()

    def nbest_lists(options: BeamOptions) -> Iterator[list[Hypothesis]]:
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
    for trial in tune_beam(
        lambda options: [best for best, *_ in nbest_lists(options)],
        development.references,
        config.beam,
    ):
        print_trial(trial)
    assert trial is not None
    config = config.model_copy(update={"beam": trial.options})
    chosen = nbest_lists(trial.options)
    if second_pass and config.second_pass:
        several = config.second_pass.first_pass_options(trial.options)
        weights = _tune_second_pass(second_pass, development, nbest_lists(several))
        config = _with_weights(config, weights)
        # Decoded once more: the n-best lists of all utterances would fill the memory.
        chosen = (
            reorder(nbest, second_pass.terms(nbest, rows), weights)
            for nbest, rows in zip(
                nbest_lists(several), development.for_head(second_pass.head), strict=True
            )
        )
    hypotheses = [best for best, *_ in chosen]
    trial = Trial(trial.options, score(development.references, [h.text for h in hypotheses]))
    calibration = fit_calibration(hypotheses, development.references)
    main = development.log_probs if config.head == "main" else development.other
    config = config.model_copy(
        update={
            "confidence": calibration,
            "max_doubt": fit_max_entropy(main or (), recogniser.seconds_per_frame),
        }
    )
    return config, trial, development.failures


def _tune_second_pass(
    second_pass: SecondPass, development: DevEmissions, nbest_lists: Iterable[list[Hypothesis]]
) -> SecondPassWeights:
    """The rescoring weights with the fewest errors; prints their score."""
    count = len(development.references)
    pairs = zip(
        track(nbest_lists, "second pass", count),
        development.for_head(second_pass.head),
        strict=True,
    )
    candidates = Candidates.of(
        ((nbest, second_pass.terms(nbest, rows)) for nbest, rows in pairs),
        development.references,
    )
    weights = tune_rescoring_weights(candidates)
    words = candidates.words / 100
    console.print(
        f"second pass: head {weights.head:.2f}  recurrent {weights.recurrent:.2f}  "
        f"LM weight {weights.lm:+.2f}  word bonus {weights.word_bonus:+.2f}  "
        f"WER {candidates.count_errors(np.array(astuple(weights))) / words:.2f} "
        f"(best of all readings: {candidates.oracle_errors() / words:.2f})",
        highlight=False,
    )
    return weights


def _with_weights(config: DecoderConfig, weights: SecondPassWeights) -> DecoderConfig:
    assert config.second_pass is not None
    second_pass = config.second_pass.model_copy(update={"weights": weights})
    return config.model_copy(update={"second_pass": second_pass})


def tune_beam(
    decode: Callable[[BeamOptions], Sequence[Hypothesis]],
    references: Sequence[str],
    start: BeamOptions,
) -> Iterator[Trial]:
    """Yields every trial; the last one is the choice.

    Args:
        decode: decodes the development set with the given options, to its best hypotheses.
        references: of the development set, in normal form.
        start: the options to begin with.
    """

    def attempt(options: BeamOptions) -> Trial:
        return Trial(options, score(references, [best.text for best in decode(options)]))

    best = yield from _weights(start, attempt, _COARSE)
    best = yield from _prior_weight(best, attempt)
    best = yield from _weights(_with_widths(best.options, _REFINING), attempt, _FINE)
    yield from _narrowest_beam(best.options, attempt)


def fit_calibration(hypotheses: Sequence[Hypothesis], references: Sequence[str]) -> Calibration:
    """The calibration of the confidences in ``hypotheses``; prints their error before and after."""
    confidence = np.array([word.confidence for best in hypotheses for word in best.words])
    right = [
        is_right
        for best, reference in zip(hypotheses, references, strict=True)
        for is_right in right_words(reference, [word.text for word in best.words])
    ]
    calibration = Calibration.fit(confidence, right)
    before, after = (
        100 * calibration_error(given, right) for given in (confidence, calibration(confidence))
    )
    console.print(
        f"confidences of {len(right)} words: calibration error {before:.2f} %, then {after:.2f} %",
        highlight=False,
    )
    return calibration


def _weights(
    start: BeamOptions, attempt: Attempt, steps: tuple[Steps, Steps]
) -> Generator[Trial, None, Trial]:
    """Pattern search over LM weight and word bonus, among the eight neighbours of the best."""
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
    """Pattern search over the weight of the priors, from the best trial on."""
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


def _narrowest_beam(options: BeamOptions, attempt: Attempt) -> Iterator[Trial]:
    """Narrows the beam from the widest on, while WER rises by at most :data:`_TOLERANCE`."""
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


def print_trial(trial: Trial) -> None:
    """Prints one line: options and WER."""
    options = trial.options
    console.print(
        f"LM weight {options.lm_weight:.2f}  word bonus {options.word_bonus:+.2f}  "
        f"prior weight {options.prior_weight:.2f}  "
        f"beam {options.beam_size} within {options.beam_threshold:g}, "
        f"tokens above {options.token_threshold:g}  "
        f"WER {100 * trial.score.wer:.2f}",
        highlight=False,
    )
