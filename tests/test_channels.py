import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from asr.audio import degradation as channels
from asr.audio.read import SAMPLE_RATE, load_audio
from asr.config.data import AugmentConfig
from asr.corpora.manifest import read_manifest, write_manifest
from asr.training.augmentation import change_channel


@pytest.fixture(scope="module")
def speech(librivox):
    return load_audio(librivox[0].audio_filepath)


def chance():
    return np.random.default_rng(3)


def power(samples, low=0.0, high=8000.0):
    """Of the part of a signal between two frequencies."""
    spectrum = np.abs(np.fft.rfft(samples)) ** 2
    hertz = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    return float(spectrum[(hertz >= low) & (hertz < high)].sum())


@pytest.mark.parametrize("slope", [0.0, 1.0, 2.0])
def test_noise_has_the_asked_power_and_slope(speech, slope):
    noise = channels.add_noise(speech, 10.0, slope, chance()) - speech
    assert 10 * np.log10(power(speech) / power(noise)) == pytest.approx(10.0, abs=0.1)
    # An octave higher, twice the width and 2^slope less power for each hertz.
    fall = power(noise, 500, 1000) / power(noise, 1000, 2000)
    assert fall == pytest.approx(2.0 ** (slope - 1), rel=0.15)


def test_an_echo_decays_and_has_the_asked_power():
    click = np.zeros(SAMPLE_RATE, np.float32)
    click[0] = 1.0
    heard = channels.add_echo(click, 0.5, 3.0, chance())
    assert heard[0] == pytest.approx(1.0, abs=1e-4)
    assert 10 * np.log10(1.0 / np.square(heard[1:]).sum()) == pytest.approx(3.0, abs=0.1)
    early, late = (np.square(heard[t : t + 800]).mean() for t in (800, 4800))  # 0.25 s apart
    assert 10 * np.log10(early / late) == pytest.approx(30.0, abs=3.0)


def test_the_telephone_passes_its_band_alone(speech):
    heard = channels.through_telephone(speech)
    assert len(heard) == len(speech)
    assert power(heard, 600, 3000) == pytest.approx(power(speech, 600, 3000), rel=0.2)
    # The mu-law's own noise lies about 38 dB below the speech, in all of its band.
    assert power(heard, 0, 150) < 0.05 * power(speech, 0, 150) + 1e-3 * power(speech)
    assert power(heard, 4200, 8000) < 1e-4 * power(heard)


def test_levels_are_clipped(speech):
    assert np.abs(channels.change_level(speech, 40.0)).max() == 1.0
    assert channels.change_level(speech, -20.0) == pytest.approx(speech / 10, abs=1e-6)


def loudest_frequency(signal):
    spectrum = np.abs(np.fft.rfft(signal * np.hanning(len(signal))))
    return spectrum.argmax() * SAMPLE_RATE / len(signal)


def test_tempo_and_pitch_change_one_without_the_other():
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    tone = np.sin(2 * np.pi * 440 * time).astype(np.float32)
    fast, high = channels.change_tempo(tone, 1.25), channels.change_pitch(tone, 12.0)
    assert len(fast) == pytest.approx(len(tone) / 1.25, abs=1)
    assert loudest_frequency(fast) == pytest.approx(440, abs=3)
    assert len(high) == len(tone)
    assert loudest_frequency(high) == pytest.approx(880, abs=3)


def test_silence_stays_silence():
    silence = np.zeros(1600, np.float32)
    assert not channels.add_noise(silence, 10.0, 1.0, chance()).any()
    assert not channels.add_echo(silence, 0.5, 0.0, chance()).any()
    assert not channels.through_telephone(silence).any()


def test_training_hears_what_the_recipe_says(speech):
    assert change_channel(speech, AugmentConfig(), chance()) is speech
    all_of_them = AugmentConfig(noise=1.0, echo=1.0, telephone=1.0)
    heard = change_channel(speech, all_of_them, chance())
    assert heard.shape == speech.shape
    assert heard.dtype == np.float32
    assert power(heard, 4200, 8000) < 1e-3 * power(heard)
    assert np.array_equal(heard, change_channel(speech, all_of_them, chance()))


def test_the_script_writes_data_sets_that_can_be_read(tmp_path, librivox):
    write_manifest(tmp_path / "clips.jsonl", librivox[:3])
    script = Path(__file__).resolve().parents[1] / "scripts" / "degrade"
    arguments = [script, tmp_path / "clips.jsonl", "-o", tmp_path / "out"]
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    manifests = sorted((tmp_path / "out").glob("*.jsonl"))
    assert len(manifests) == 10
    for manifest in manifests:
        for utterance, clip in zip(read_manifest(manifest), librivox[:3], strict=True):
            assert utterance.text == clip.text
            clean = load_audio(clip.audio_filepath)
            heard = load_audio(utterance.audio_filepath)
            way = manifest.stem.rsplit("-")[-1]
            tempo = {"fast": 1.3, "slow": 0.7}.get(way, 1.0)
            padding = 2 * 1152 if way == "mp3" else 1  # frames that the encoder adds
            assert len(heard) == pytest.approx(len(clean) / tempo, abs=padding)
            assert utterance.duration == pytest.approx(len(heard) / SAMPLE_RATE, abs=1e-3)
            assert not np.array_equal(heard[: len(clean)], clean[: len(heard)])
