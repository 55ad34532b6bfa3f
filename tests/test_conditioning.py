"""Speech below hum, rumble and DC, and speech that is very soft; ordinary speech stays as it is."""

import numpy as np
import pytest

from asr.audio.conditioning import condition
from asr.audio.read import SAMPLE_RATE, load_audio


@pytest.fixture(scope="module")
def speech(librivox):
    return load_audio(librivox[2].audio_filepath)


def tone(hertz, like):
    time = np.arange(len(like)) / SAMPLE_RATE
    return (np.sqrt(2) * like.std() * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def alike(found, expected):
    return np.corrcoef(found, expected)[0, 1]


def test_ordinary_speech_is_returned_itself(librivox):
    for clip in librivox:
        samples = load_audio(clip.audio_filepath)
        for signal in (samples, samples * np.float32(0.05), samples + tone(50, samples)):
            assert condition(signal) is signal


@pytest.mark.parametrize(
    "disturb",
    [
        lambda x: x + 3.2 * tone(50, x),
        lambda x: x + 3.2 * tone(60, x),
        lambda x: x + 10 * tone(8, x),
        lambda x: x + np.float32(0.3),
        lambda x: x - np.float32(0.3) + 3.2 * tone(50, x),
    ],
    ids=["hum 50", "hum 60", "rumble", "DC", "DC and hum"],
)
def test_what_drowns_speech_is_removed(speech, disturb):
    disturbed = disturb(speech)
    found = condition(disturbed)
    assert found.shape == speech.shape
    assert found.dtype == np.float32
    assert alike(disturbed, speech) < 0.5 or abs(disturbed.mean()) > 0.2
    assert alike(found, speech) > 0.97
    assert found.std() == pytest.approx(speech.std(), rel=0.1)


def test_very_soft_speech_is_amplified(speech):
    for decibels in (-78, -110):
        soft = speech * np.float32(10 ** (decibels / 20) / speech.std())
        found = condition(soft)
        assert found.std() == pytest.approx(0.002, rel=0.05)
        assert alike(found, speech) > 0.999


@pytest.mark.parametrize("samples", [0, 1, 159, 160, 161, 5000])
def test_next_to_nothing_is_left_alone(samples):
    silence = np.zeros(samples, np.float32)
    assert condition(silence) is silence
    assert np.isfinite(condition(silence + np.float32(0.5))).all()
