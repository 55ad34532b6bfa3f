"""asr lm train-recurrent: an LSTM language model."""

from __future__ import annotations

import argparse

from asr.cli.lm import file_size
from asr.cli.outputs import check_output
from asr.config.loading import apply_settings
from asr.config.schema import RecurrentConfig
from asr.training.lstm_lm import train_recurrent


def train(options: argparse.Namespace) -> int:
    """Trains an LSTM language model."""
    check_output(options.output)
    config = apply_settings(RecurrentConfig, options.set, "the command")
    model = train_recurrent(options.texts, options.output, config, resume=options.resume)
    parameters = sum(weights.numel() for weights in model.parameters())
    print(f"{options.output}: {parameters / 1e6:.1f} M parameters, {file_size(options.output)}")
    return 0
