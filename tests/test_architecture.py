"""Names and shapes of weights, derived from the config, against those that torch's modules have."""

import pytest
import torch

from asr.acoustic.architecture import describe
from asr.acoustic.folder import open_model
from asr.acoustic.network import AcousticModel
from asr.acoustic.recurrent import CELLS
from asr.config.schema import EncoderConfig, FrontEndConfig, ModelConfig, SpellerConfig

CONFIGS = {
    **{
        f"{cell}, {directions}": ModelConfig(
            encoder=EncoderConfig(layers=2, hidden=6, cell=cell, bidirectional=directions == "both")
        )
        for cell in CELLS
        for directions in ("both", "one")
    },
    "attention, bottlenecks, stacked": ModelConfig(
        mel_bins=37,
        front_end=FrontEndConfig(channels=(3, 5, 7)),
        encoder=EncoderConfig(
            layers=4, hidden=40, attention_window=3, bottleneck=9, stack_after=2, dropout=0.1
        ),
        emissions=2,
        intermediate_layer=3,
    ),
    "speller": ModelConfig(
        encoder=EncoderConfig(layers=3, hidden=8, bottleneck=5, stack_after=1, cell="peephole"),
        emissions=2,
        intermediate_layer=1,
        speller=SpellerConfig(inputs=4, hidden=6, code=3),
    ),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_torch_has_the_weights_that_the_config_describes(name):
    model = AcousticModel(CONFIGS[name], 11, 13)
    found = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert found == describe(CONFIGS[name], 11, 13).weight_shapes()


def test_the_bundled_model_has_the_weights_that_its_config_describes():
    folder = open_model()
    units = len(folder.tokenizer), len(folder.intermediate_tokenizer)
    found = {name: array.shape for name, array in folder.weights().items()}
    assert found == describe(folder.config, *units).weight_shapes()


@pytest.mark.parametrize("name", CONFIGS)
def test_heads_emit_as_many_frames_as_described(name):
    model = AcousticModel(CONFIGS[name], 11, 13).eval()
    frames = 41
    bins = CONFIGS[name].mel_bins
    emissions = model(torch.zeros(1, frames, bins), torch.tensor([frames]))
    assert emissions.log_probs.shape == (1, model.output_length(frames), 11)
    if emissions.intermediate is not None:
        assert emissions.intermediate.shape == (1, model.output_length(frames), 13)
