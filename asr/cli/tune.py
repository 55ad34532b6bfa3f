"""asr tune: weights and widths of a beam search."""

from __future__ import annotations

import argparse
from pathlib import Path

from asr.cli.options import Groups, complain, positive
from asr.cli.outputs import check_output


def add(groups: Groups) -> None:
    """Its options."""
    tune = groups.add_parser(
        "tune",
        help="find the weights and widths of a beam search",
        description="Search language model weight, word bonus, weight of the label priors and "
        "beam widths on development data, and write the best as a decoder config, for transcribe "
        "and evaluate to take.",
        epilog="Example: asr tune runs/mini_librispeech/model data/manifests/dev-other.jsonl "
        "--lm books.lm --lexicon lexicon.txt -o decoder.yaml",
    )
    tune.add_argument("model", metavar="MODEL", help="a model's folder or a bundled model's name")
    tune.add_argument("data", nargs="+", type=Path, metavar="DATA", help="as for evaluate")
    tune.add_argument("--lm", metavar="LM", help="a language model")
    tune.add_argument("--lexicon", metavar="FILE", help="how words are made of units")
    tune.add_argument(
        "--head",
        choices=("main", "intermediate"),
        default="main",
        help="of the model, if it has two (default: main)",
    )
    tune.add_argument(
        "--readings",
        type=_several,
        metavar="N",
        help="of the search, which a second pass weighs again by the model's other head",
    )
    tune.add_argument(
        "--recurrent", metavar="FILE", help="a language model that weighs them instead"
    )
    tune.add_argument("-o", "--output", type=Path, required=True, help="for the decoder config")
    tune.add_argument("--batch-size", type=positive, default=8, metavar="N", help="files at a time")
    tune.add_argument("--device", default="auto", help="cpu, cuda or auto")
    tune.set_defaults(run=_tune)


def _tune(options: argparse.Namespace) -> int:
    """The decoder config that scores best on development data."""
    from asr.acoustic.folder import open_model
    from asr.decoding.decoder_config import DecoderConfig, SecondPassConfig, write_decoder_config
    from asr.evaluation.evaluate import read_data
    from asr.tuning.tune import report, tune_decoder

    check_output(options.output)
    second_pass = None
    if options.readings or options.recurrent:
        readings = options.readings or SecondPassConfig().readings
        second_pass = SecondPassConfig(readings=readings, recurrent=options.recurrent)
    sets = [data for path in options.data for data in read_data(path)]
    utterances = [utterance for data in sets for utterance in data.utterances]
    config, trial, failures = tune_decoder(
        open_model(options.model),
        utterances,
        DecoderConfig(
            head=options.head, lm=options.lm, lexicon=options.lexicon, second_pass=second_pass
        ),
        options.device,
        options.batch_size,
    )
    failures = [*(problem for data in sets for problem in data.problems), *failures]
    for failure in failures:
        complain(f"not tuned on: {failure}")
    write_decoder_config(options.output, config)
    report(trial)
    print(f"the decoder config is in {options.output}")
    return 1 if failures else 0


def _several(text: str) -> int:
    if (number := positive(text)) < 2:
        raise argparse.ArgumentTypeError("one reading leaves nothing to weigh")
    return number
