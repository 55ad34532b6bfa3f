"""Cutting long audio, on real speech with real pauses."""

from itertools import pairwise

import numpy as np
import pytest

from asr.audio.read import SAMPLE_RATE, load_audio
from asr.audio.segmentation import LONGEST, is_silent, levels, split


@pytest.fixture(scope="module")
def clips(librivox):
    return [load_audio(u.audio_filepath) for u in librivox]


def silence(seconds, level=0.0, seed=0):
    noise = np.random.default_rng(seed).standard_normal(round(seconds * SAMPLE_RATE))
    return (level * noise).astype(np.float32)


def joined(clips, times=4):
    """The clips again and again with pauses between them."""
    pause = 0.4
    return np.concatenate(
        [x for i, clip in enumerate(clips * times) for x in (clip, silence(pause, 1e-4, i))]
    )


def pieces(signal, size):
    return (signal[start : start + size] for start in range(0, len(signal), size))


def no_pauses(seconds):
    """Something with the ups and downs of speech that is never quiet for as long as a pause."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    loudness = 0.02 + 0.5 * np.sin(2 * np.pi * 3.1 * time) ** 2
    return silence(seconds, 1.0) * loudness.astype(np.float32) * 0.3


def test_a_short_recording_stays_as_it_is(clips):
    for signal in (clips[0], np.concatenate(clips)[: int(LONGEST * SAMPLE_RATE)]):
        (stretch,) = split(pieces(signal, 10_000))
        assert stretch.first == 0
        assert np.array_equal(stretch.samples, signal)


def test_cuts_are_in_pauses_and_no_speech_is_lost(clips):
    signal = joined(clips)
    stretches = list(split([signal]))
    assert len(stretches) > 4
    heard = np.zeros(len(signal), bool)
    for stretch in stretches:
        place = slice(stretch.first, stretch.first + len(stretch.samples))
        assert np.array_equal(stretch.samples, signal[place])
        assert not heard[place].any()  # no overlap where there are pauses
        heard[place] = True
        assert 2.0 < stretch.end - stretch.start <= 20.5
    loud = np.repeat(levels(signal) > -50, SAMPLE_RATE // 100)
    assert heard[: len(loud)][loud].all()
    quiet = levels(signal)
    for stretch in stretches[1:]:
        frame = stretch.first * 100 // SAMPLE_RATE
        assert quiet[frame - 3 : frame + 3].max() < -45


@pytest.mark.parametrize("size", [997, 160_000])
def test_cuts_do_not_depend_on_how_the_recording_arrives(clips, size):
    signal = joined(clips)
    once = [(s.first, len(s.samples)) for s in split([signal])]
    assert [(s.first, len(s.samples)) for s in split(pieces(signal, size))] == once


def test_the_recording_is_read_no_farther_than_needed(clips):
    signal = joined(clips, times=8)
    read = 0

    def counted():
        nonlocal read
        for piece in pieces(signal, 16_000):
            read += len(piece)
            yield piece

    for stretch in split(counted()):
        assert read <= stretch.first + (LONGEST + 2) * SAMPLE_RATE
    assert read == len(signal)


def test_long_silences_are_left_out_but_for_their_edges(clips):
    signal = np.concatenate([silence(70), clips[0], silence(45, 1e-4), clips[1], silence(100)])
    first, second = split(pieces(signal, 50_000))
    begin = 70.0
    for stretch, clip, start in (
        (first, clips[0], begin),
        (second, clips[1], begin + len(clips[0]) / SAMPLE_RATE + 45),
    ):
        end = start + len(clip) / SAMPLE_RATE
        assert start - 1.2 <= stretch.start <= start + 0.2
        assert end - 0.6 <= stretch.end <= end + 1.2


@pytest.mark.parametrize("level", [0.0, 0.1])
@pytest.mark.parametrize("seconds", [5.0, 100.0])
def test_of_digital_silence_nothing_is_left(level, seconds):
    signal = silence(seconds) + np.float32(level)
    assert is_silent(signal)
    assert list(split(pieces(signal, 100_000))) == []


@pytest.mark.parametrize("level", [1e-6, 1e-3, 0.1])
def test_noise_is_left_to_the_recogniser(level):
    assert not is_silent(silence(5.0, level))
    assert len(list(split([silence(5.0, level)]))) == 1


@pytest.mark.parametrize("level", [1e-6, 1e-4])
def test_of_long_soft_noise_nothing_is_left(level):
    assert list(split(pieces(silence(100.0, level), 100_000))) == []


def test_speech_is_not_silent_however_soft_or_noisy(clips):
    for clip in clips:
        for gain in (1.0, 1e-4, 1e-5):
            assert not is_silent(gain * clip)


@pytest.mark.parametrize("drowned_in", ["hum", "noise"])
def test_speech_that_drowns_is_not_left_out(clips, drowned_in):
    signal = joined(clips)
    if drowned_in == "hum":
        hum = np.sin(2 * np.pi * 50 * np.arange(len(signal)) / SAMPLE_RATE).astype(np.float32)
        signal = signal + np.float32(4.5 * signal.std()) * hum
    else:
        signal = signal + silence(len(signal) / SAMPLE_RATE, float(signal.std()))[: len(signal)]
    covered = np.zeros(len(signal), bool)
    for stretch in split([signal]):
        covered[stretch.first : stretch.first + len(stretch.samples)] = True
    assert covered.mean() > 0.9


def test_stretches_overlap_where_nobody_pauses():
    signal = no_pauses(75)
    stretches = list(split([signal]))
    covered = 0
    for before, after in pairwise(stretches):
        assert before.end - before.start == pytest.approx(20.0)
        assert before.end - after.start == pytest.approx(4.0)
    for stretch in stretches:
        assert stretch.first <= covered
        covered = stretch.first + len(stretch.samples)
    assert covered == len(signal)


def test_without_overlap_every_sample_is_heard_once():
    signal = no_pauses(75)
    stretches = list(split([signal], overlap=False))
    assert len(stretches) > 3
    assert np.array_equal(np.concatenate([s.samples for s in stretches]), signal)


def test_a_recording_may_hold_next_to_nothing():
    assert list(split([])) == []
    assert list(split([silence(0)])) == []
    assert len(list(split([0.1 + silence(0.05, 0.1)]))) == 1
