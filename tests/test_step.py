"""The gradients of a batch in two parts, on real speech."""

import pytest
import torch
from torch.amp.grad_scaler import GradScaler

from asr.acoustic.network import AcousticModel
from asr.audio.read import load_audio
from asr.config.schema import EncoderConfig, ModelConfig, TrainConfig
from asr.features.mel import feature_frames
from asr.tokenizers.tokenizer import CharacterTokenizer
from asr.training.batch import Batch, Masks, Targets
from asr.training.gradients import backward, split
from asr.training.loss import training_loss

CONFIG = TrainConfig(consistency_weight=0.3, intermediate_weight=0.4)


@pytest.fixture(params=[1, 2])
def batch(request, librivox):
    """Three clips, in one view or in two that are masked unlike."""
    units = CharacterTokenizer()
    clips = sorted(librivox, key=lambda clip: clip.duration)[:3]
    signals = [torch.from_numpy(load_audio(clip.audio_filepath)) for clip in clips]
    frames = [feature_frames(len(signal)) for signal in signals] * request.param
    kept = [torch.ones(count) for count in frames]
    for row, mask in enumerate(kept):
        mask[20 + 30 * row : 40 + 30 * row] = 0.0
    targets = Targets.of([units.encode(clip.text) for clip in clips] * request.param)
    return Batch(
        torch.nn.utils.rnn.pad_sequence(signals, batch_first=True),
        tuple(map(len, signals)),
        (1.0,) * len(signals),
        Masks(torch.nn.utils.rnn.pad_sequence(kept, batch_first=True), torch.ones(len(kept), 80)),
        targets,
        targets,
        1.0,
        request.param,
    )


def model_of(dropout):
    torch.manual_seed(0)
    encoder = EncoderConfig(layers=2, hidden=16, dropout=dropout)
    config = ModelConfig(encoder=encoder, intermediate_layer=1)
    return AcousticModel(config, len(CharacterTokenizer())).train()


def gradients(model, batch):
    features, lengths = batch.features()
    found = backward(model, batch, features, lengths, CONFIG, "float32", GradScaler(enabled=False))
    return found, [parameter.grad for parameter in model.parameters()]


def test_gradients_of_the_parts_add_up_to_those_of_the_whole(batch):
    model = model_of(dropout=0.0)
    (loss, main), found = gradients(model, batch)
    features, lengths = batch.features()
    emissions = model(features, lengths)
    units = [int(batch.targets.lengths.sum())] * 2
    teacher = emissions.swap_halves() if batch.views == 2 else None
    targets = batch.targets, batch.intermediate
    whole, whole_main = training_loss(emissions, targets, units, CONFIG, teacher)
    assert loss == pytest.approx(whole.item(), rel=1e-5)
    assert main == pytest.approx(whole_main.item(), rel=1e-5)
    assert (loss > main) or batch.views == 1
    expected = torch.autograd.grad(whole, list(model.parameters()))
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-3)


def test_the_number_of_threads_changes_no_bit(batch):
    results = []
    threads = torch.get_num_threads()
    try:
        for count in (2, 1, 2):
            torch.set_num_threads(count)
            results.append(gradients(model_of(dropout=0.4), batch))
    finally:
        torch.set_num_threads(threads)
    first, *others = results
    for other in others:
        assert other[0] == first[0]
        assert all(torch.equal(a, b) for a, b in zip(other[1], first[1], strict=True))


def test_each_part_and_each_step_drops_other_channels(batch):
    model = model_of(dropout=0.4)
    torch.manual_seed(5)
    first, second = gradients(model, batch)[0], gradients(model, batch)[0]
    torch.manual_seed(5)
    again = gradients(model, batch)[0]
    assert first == again
    assert first != second


def test_parts_hold_every_utterance_once_with_its_own_targets(batch):
    features, lengths = batch.features()
    parts = split(batch, features, lengths)
    assert [len(part.lengths) for part in parts] == ([2, 1] if batch.views == 1 else [3, 3])
    assert sorted(torch.cat([part.lengths for part in parts]).tolist()) == sorted(lengths.tolist())
    texts = {
        tuple(units.tolist()) for units in batch.targets.units.split(batch.targets.lengths.tolist())
    }
    found = set()
    for part in parts:
        targets, _ = part.targets
        assert part.features.shape[1] == part.lengths.max()
        for row, (length, units) in enumerate(
            zip(part.lengths, targets.units.split(targets.lengths.tolist()), strict=True)
        ):
            found.add(tuple(units.tolist()))
            assert part.features[row, length - 1].abs().sum() > 0
    assert found == texts
