"""asr tune: weights and widths of a beam search."""

from __future__ import annotations

import argparse

from asr.acoustic.folder import open_model
from asr.cli.messages import complain
from asr.cli.outputs import check_output
from asr.decoding.decoder_config import DecoderConfig, SecondPassConfig, write_decoder_config
from asr.evaluation.evaluate import read_data
from asr.tuning.tune import print_trial, tune_decoder


def run(options: argparse.Namespace) -> int:
    """The decoder config that scores best on development data."""
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
    print_trial(trial)
    print(f"the decoder config is in {options.output}")
    return 1 if failures else 0
