import librosa
import numpy as np
import pytest
import soundfile
import torch
import torchaudio
from torch.nn.utils.rnn import pad_sequence

from asr.audio.read import SAMPLE_RATE, load_audio
from asr.features.log_mel import extract, extract_batch, extract_batch_fused, log_mel, normalise


@pytest.fixture(scope="module", params=range(5))
def speech(request, librivox):
    samples, _ = soundfile.read(librivox[request.param].audio_filepath, dtype="float32")
    return torch.from_numpy(samples)


def test_equals_torchaudio(speech):
    transform = torchaudio.transforms.MelSpectrogram(
        SAMPLE_RATE, n_fft=400, hop_length=160, n_mels=80, norm="slaney", mel_scale="slaney",
        pad_mode="constant",
    )  # fmt: skip
    theirs = torch.log(transform(speech).T + 1e-6)
    # torchaudio's filters are built in float32: see asr.features.mel.filters.
    assert (log_mel(speech) - theirs).abs().max() < 5e-4
    exact = transform.spectrogram(speech).T @ _librosa_filters()
    assert (log_mel(speech) - torch.log(exact + 1e-6)).abs().max() < 1e-4


def test_equals_librosa(speech):
    mel = librosa.feature.melspectrogram(
        y=speech.numpy(), sr=SAMPLE_RATE, n_fft=400, hop_length=160, n_mels=80, pad_mode="constant"
    )
    theirs = torch.from_numpy(np.log(mel.T + 1e-6))
    assert (log_mel(speech) - theirs).abs().max() < 1e-4


def _librosa_filters():
    return torch.from_numpy(librosa.filters.mel(sr=SAMPLE_RATE, n_fft=400, n_mels=80)).T


@pytest.mark.parametrize("samples", [1, 159, 160, 161, 16_000])
def test_has_a_frame_every_10_ms(samples):
    assert log_mel(torch.zeros(samples)).shape == (1 + samples // 160, 80)


def test_silence_is_finite():
    assert torch.isfinite(extract(torch.zeros(4000))).all()


def test_level_does_not_matter(speech):
    soft, loud = extract(speech * 0.1), extract(speech * 1.5)
    assert (soft - loud).abs().max() < 1e-4
    assert (log_mel(speech * 0.1) - log_mel(speech * 1.5)).std() > 0.1  # it did to the floor


def test_what_is_nearly_silent_is_not_made_as_loud_as_speech(speech):
    hum = extract(speech * 1e-4)
    assert hum.std() < 0.5 * extract(speech).std()


def test_normalisation_takes_the_mean_off_each_bin(speech):
    features = normalise(log_mel(speech))
    assert features.mean(dim=0).abs().max() < 1e-4
    assert 0.3 < features.std() < 2.0


def test_all_at_once_is_what_it_is_one_by_one(librivox):
    signals = [torch.from_numpy(load_audio(u.audio_filepath)) for u in librivox]
    signals += [torch.zeros(5000), torch.full((1,), 0.1), signals[0][:799] / 1000]
    warps = [1.0, 0.9, 1.1, 1.05, 1.0, 0.95, 1.0, 1.0]
    samples = [len(signal) for signal in signals]
    padded = pad_sequence(signals, batch_first=True)
    expected, lengths = extract_batch(padded, samples, 80, warps)
    for row, (signal, warp) in enumerate(zip(signals, warps, strict=True)):
        alone = extract(signal, 80, warp)
        assert int(lengths[row]) == len(alone)
        assert torch.equal(expected[row, : len(alone)], alone)
        assert not expected[row, len(alone) :].any()
    together = extract_batch_fused(padded, samples, 80, warps)
    torch.testing.assert_close(together, expected, atol=1e-4, rtol=0)
