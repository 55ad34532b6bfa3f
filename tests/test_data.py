from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from asr.config.data import AugmentConfig, DataConfig
from asr.corpora.manifest import write_manifest
from asr.errors import AsrError
from asr.features.log_mel import extract
from asr.features.mel import feature_frames
from asr.text import record_rules
from asr.tokenizers.tokenizer import CharacterTokenizer
from asr.training.audio_cache import open_cache
from asr.training.dataset import (
    TrainingSet,
    frames_needed,
    load_batches,
    load_training_set,
    plan_epoch,
)

TOKENIZER = CharacterTokenizer()


@pytest.fixture(scope="module")
def training(tmp_path_factory, librivox):
    """Forty utterances: the clips, eight times each."""
    utterances = librivox * 8
    cache, _, _ = open_cache(tmp_path_factory.mktemp("cache"), "clips", utterances)
    targets = [TOKENIZER.encode(u.text) for u in utterances]
    return TrainingSet(cache, targets, targets, AugmentConfig(), 80, "")


def test_each_epoch_holds_every_utterance_once_within_the_batch_size(training):
    for epoch in range(3):
        plan = plan_epoch(training, 1, epoch, 30.0, short_first=False)
        assert sorted(d.index for batch in plan for d in batch) == list(range(40))
        for batch in plan:
            assert max(training.seconds(d) for d in batch) * len(batch) <= 30.0


def test_little_is_padded_and_batches_differ_between_epochs(training):
    plans = [plan_epoch(training, 1, epoch, 30.0, short_first=False) for epoch in range(2)]
    lengths = [[training.seconds(d) for d in batch] for batch in plans[0]]
    padded = sum(max(batch) * len(batch) for batch in lengths)
    assert sum(map(sum, lengths)) > 0.8 * padded
    assert {frozenset(d.index for d in batch) for batch in plans[0]} != {
        frozenset(d.index for d in batch) for batch in plans[1]
    }


def test_the_first_epoch_can_go_from_short_to_long(training):
    plan = plan_epoch(training, 1, 0, 20.0, short_first=True)
    longest = [max(training.seconds(d) for d in batch) for batch in plan]
    assert longest[0] < 0.6 * longest[-1]
    assert all(b > 0.85 * a for a, b in pairwise(longest))


def test_a_batch_depends_on_nothing_but_its_draws(training):
    plan = plan_epoch(training, 7, 3, 30.0, short_first=False)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    here = list(load_batches(training, plan[:2], workers=0, pinned=False))
    assert torch.equal(torch.get_rng_state(), before)
    elsewhere = list(load_batches(training, plan[:2], workers=1, pinned=False))
    for a, b in zip(here, elsewhere, strict=True):
        assert torch.equal(a.features()[0], b.features()[0])
        assert torch.equal(a.targets.units, b.targets.units)


def test_without_augmentation_a_batch_holds_the_plain_features(training):
    plain = replace(
        training,
        augment=AugmentConfig(speeds=(1.0,), frequency_masks=0, time_masks_per_second=0),
    )
    (batch,) = load_batches(plain, plan_epoch(plain, 1, 0, 1000.0, short_first=True), 0, False)
    draws = plan_epoch(plain, 1, 0, 1000.0, short_first=True)[0]
    found, lengths = batch.features()
    targets = batch.targets.units.split(batch.targets.lengths.tolist())
    for row, draw in enumerate(draws):
        features = extract(torch.from_numpy(plain.cache[draw.index]))
        assert int(lengths[row]) == len(features)
        assert torch.equal(found[row, : len(features)], features)
        assert targets[row].tolist() == plain.targets[draw.index]


def test_masks_and_speeds_change_the_features(training):
    draws = [d for batch in plan_epoch(training, 1, 0, 30.0, short_first=True) for d in batch]
    assert {d.speed for d in draws} == {0.9, 1.0, 1.1}
    slow = next(d for d in draws if d.speed == 0.9)
    batch = training[[slow]]
    samples = training.cache.samples(slow.index)
    features, lengths = batch.features()
    assert int(lengths[0]) == pytest.approx(feature_frames(int(samples / 0.9)), abs=1)
    masked = (features[0] == 0.0).float().mean()
    assert 0.02 < masked < 0.9


def test_two_views_of_an_utterance_differ_in_their_masks_alone(training):
    plan = plan_epoch(training, 1, 0, 30.0, views=2, short_first=True)
    for draws in plan:
        assert 2 * max(training.seconds(d) for d in draws) * len(draws) <= 30.0
    batch = training[plan[0]]
    features, lengths = batch.features()
    first, second = features.chunk(2)
    assert torch.equal(*lengths.chunk(2))
    assert not torch.equal(first, second)
    kept = (first != 0) & (second != 0)
    assert torch.equal(first[kept], second[kept])
    alone = training[[replace(draw, views=1) for draw in plan[0]]]
    assert batch.targets.units.tolist() == 2 * alone.targets.units.tolist()
    assert torch.equal(first, alone.features()[0])


def test_vocal_tracts_are_stretched_within_the_bounds(training):
    plain = AugmentConfig(frequency_masks=0, time_masks_per_second=0)
    warped = replace(training, augment=plain.model_copy(update={"vocal_tract": 0.1}))
    draws = [d for batch in plan_epoch(warped, 1, 0, 30.0, short_first=True) for d in batch]
    assert 0.9 <= min(d.warp for d in draws) < max(d.warp for d in draws) <= 1.1
    unwarped_draws = [d for batch in plan_epoch(training, 1, 0, 30.0) for d in batch]
    assert {d.warp for d in unwarped_draws} == {1.0}
    draw = next(d for d in draws if d.warp != 1.0)
    changed = warped[[draw]].features()[0]
    unwarped = warped[[replace(draw, warp=1.0)]].features()[0]
    assert changed.shape == unwarped.shape
    assert not torch.allclose(changed, unwarped, atol=0.1)


@pytest.mark.parametrize(("target", "frames"), [([], 0), ([1], 1), ([1, 2, 1], 3), ([3, 3, 3], 5)])
def test_repeated_units_need_a_blank_between(target, frames):
    assert frames_needed(target) == frames


def test_utterances_that_cannot_be_trained_on_are_reported(tmp_path, librivox):
    good = replace(librivox[0], utterance_id="good")
    utterances = [
        good,
        replace(librivox[1], utterance_id="foreign", text="ROOM 7"),
        replace(librivox[1], utterance_id="empty", text=""),
        replace(librivox[1], utterance_id="tight", text="HE WAS NOT " * 30),
        replace(librivox[2], utterance_id="gone", audio_filepath=str(tmp_path / "gone.wav")),
    ]
    write_manifest(tmp_path / "m.jsonl", utterances)
    config = DataConfig(
        train=(str(tmp_path / "m.jsonl"),), dev=("-",), cache=str(tmp_path), max_seconds=30
    )
    training, problems = load_training_set(
        config, AugmentConfig(), (TOKENIZER, TOKENIZER), 80, lambda frames: frames // 4
    )
    assert len(training.targets) == 1
    assert [p.split(":")[0].split("/")[-1] for p in problems] == [
        "gone.wav does not exist",
        "foreign",
        "empty",
        "tight",
    ]
    assert "'7'" in problems[1]
    long = config.model_copy(update={"max_seconds": 1.0})
    with pytest.raises(AsrError, match="no utterance of m can be trained on"):
        load_training_set(
            long, AugmentConfig(), (TOKENIZER, TOKENIZER), 80, lambda frames: frames // 4
        )


def test_texts_are_brought_into_the_normal_form_of_the_model(tmp_path, librivox):
    targets = []
    for name, change in (("as-is", str), ("lower", lambda text: f"{text.lower()}. [noise]")):
        utterances = [replace(u, text=change(u.text)) for u in librivox[:2]]
        write_manifest(tmp_path / f"{name}.jsonl", utterances)
        config = DataConfig(
            train=(str(tmp_path / f"{name}.jsonl"),), dev=("-",), cache=str(tmp_path)
        )
        with record_rules() as report:
            training, _ = load_training_set(
                config, AugmentConfig(), (TOKENIZER, TOKENIZER), 80, lambda frames: frames // 4
            )
        targets.append(training.targets)
        assert report.counts["manifest"] == (2 if name == "lower" else 0)
    assert targets[0] == targets[1]
