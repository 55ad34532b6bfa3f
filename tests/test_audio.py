import numpy as np
import pytest
import soundfile
from scipy.signal import correlate

from asr.audio.read import (
    SAMPLE_RATE,
    audio_duration,
    count_channels,
    find_audio,
    load_audio,
    read_pieces,
    to_16k_mono,
)
from asr.errors import AsrError


@pytest.fixture(scope="module")
def speech(librivox):
    samples, rate = soundfile.read(librivox[1].audio_filepath, dtype="float32")
    assert rate == SAMPLE_RATE
    return samples


def correlation(a, b):
    length = min(len(a), len(b))
    return np.corrcoef(a[:length], b[:length])[0, 1]


def shift(a, b):
    """By how many samples ``a`` lies behind ``b``: the lag of the highest cross-correlation."""
    return int(correlate(a, b, method="fft").argmax()) - (len(b) - 1)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("pcm16.wav", {"subtype": "PCM_16"}),
        ("pcm24.wav", {"subtype": "PCM_24"}),
        ("float.wav", {"subtype": "FLOAT"}),
        ("speech.flac", {}),
        ("speech.ogg", {"format": "OGG", "subtype": "VORBIS"}),
        ("speech.opus", {"format": "OGG", "subtype": "OPUS"}),
        ("speech.mp3", {"format": "MP3"}),
    ],
)
def test_reads_every_format(tmp_path, speech, name, options):
    soundfile.write(tmp_path / name, speech, SAMPLE_RATE, **options)
    loaded = load_audio(tmp_path / name)
    assert loaded.dtype == np.float32
    assert loaded.ndim == 1
    assert len(loaded) == len(speech)  # decoders drop the padding of their encoders
    assert shift(loaded, speech) == 0
    assert np.std(loaded) == pytest.approx(np.std(speech), rel=0.1)
    assert audio_duration(tmp_path / name) == len(speech) / SAMPLE_RATE
    if name.endswith((".wav", ".flac")):
        np.testing.assert_allclose(loaded, speech, atol=1e-4)


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_brings_every_rate_and_channel_count_to_16k_mono(tmp_path, speech, rate, channels):
    import librosa

    converted = librosa.resample(speech, orig_sr=SAMPLE_RATE, target_sr=rate)
    path = tmp_path / "speech.wav"
    soundfile.write(path, np.stack([converted] * channels, axis=1), rate, subtype="FLOAT")
    loaded = load_audio(path)
    assert len(loaded) == pytest.approx(len(speech), abs=2)
    if rate > SAMPLE_RATE:
        assert correlation(loaded, speech) > 0.999
    else:  # 8 kHz loses the upper half of the band, not the speech
        assert correlation(loaded, speech) > 0.9


def test_channels_are_averaged():
    left, right = np.full(100, 0.5, np.float32), np.full(100, -0.1, np.float32)
    mono = to_16k_mono(np.stack([left, right], axis=1), SAMPLE_RATE)
    np.testing.assert_allclose(mono, 0.2, atol=1e-7)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000])
def test_a_long_file_comes_in_pieces_and_resampled_as_if_at_once(tmp_path, rate):
    import librosa

    samples = 0.1 * np.random.default_rng(rate).standard_normal(70 * rate + 17).astype(np.float32)
    soundfile.write(tmp_path / "noise.wav", samples, rate, subtype="FLOAT")
    pieces = list(read_pieces(tmp_path / "noise.wav"))
    assert max(map(len, pieces)) < 75 * SAMPLE_RATE
    assert len(pieces) > 1
    at_once = librosa.resample(samples, orig_sr=rate, target_sr=SAMPLE_RATE, res_type="soxr_hq")
    assert np.array_equal(np.concatenate(pieces), at_once)
    assert np.array_equal(load_audio(tmp_path / "noise.wav"), at_once)


def test_pieces_of_many_channels_are_no_larger_in_all(tmp_path):
    soundfile.write(tmp_path / "many.wav", np.zeros((100_000, 100), np.float32), SAMPLE_RATE)
    assert max(len(piece) for piece in read_pieces(tmp_path / "many.wav")) < 10_000


def test_one_channel_can_be_read(tmp_path, speech):
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.stack([speech, -0.5 * speech], axis=1), SAMPLE_RATE, subtype="FLOAT")
    assert count_channels(path) == 2
    assert np.array_equal(load_audio(path, channel=1), speech)
    assert np.array_equal(load_audio(path, channel=2), -0.5 * speech)
    with pytest.raises(AsrError, match=r"stereo.wav has 2 channels: there is no channel 3"):
        load_audio(path, channel=3)


def write_not_finite(path):
    samples = np.zeros(1000, np.float32)
    samples[10] = np.nan
    soundfile.write(path, samples, SAMPLE_RATE, subtype="FLOAT")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_text("no audio at all\n" * 50), "is not audio"),
        (lambda path: soundfile.write(path, np.zeros(0), SAMPLE_RATE), "holds no audio samples"),
        (write_not_finite, "not finite"),
        (
            lambda path: soundfile.write(path, np.full(99, 1e9), SAMPLE_RATE, subtype="FLOAT"),
            "beyond any scale",
        ),
        (lambda path: soundfile.write(path, np.zeros(99), 1), "has 1 samples a second, too few"),
    ],
)
def test_names_the_file_and_what_is_wrong_with_it(tmp_path, make, message):
    path = tmp_path / "bad.wav"
    make(path)
    with pytest.raises(AsrError, match=message) as caught:
        load_audio(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_truncated_file_gives_what_it_holds_or_an_error(tmp_path, speech):
    whole = tmp_path / "whole.flac"
    soundfile.write(whole, speech, SAMPLE_RATE)
    data = whole.read_bytes()
    for part in (10, 100, len(data) // 2):
        path = tmp_path / "part.flac"
        path.write_bytes(data[:part])
        message = ""
        try:
            samples = load_audio(path)
        except AsrError as error:
            message = str(error)
        assert str(path) in message or 0 < len(samples) <= len(speech)


def test_flac_of_unknown_length_is_read_to_its_end(tmp_path):
    path = tmp_path / "piped.flac"
    samples = 0.1 * np.random.default_rng(0).standard_normal(40 * SAMPLE_RATE)  # several blocks
    soundfile.write(path, samples, SAMPLE_RATE)
    expected = load_audio(path)
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0  # 36 bits of STREAMINFO count the samples
    data[22:26] = bytes(4)
    path.write_bytes(data)
    assert audio_duration(path) == 40.0
    assert np.array_equal(load_audio(path), expected)


def test_mp3_is_cut_off_only_if_it_says_how_long_it_was(tmp_path, speech):
    path = tmp_path / "speech.mp3"
    loud = 0.3 * np.random.default_rng(0).standard_normal(SAMPLE_RATE)
    samples = np.concatenate([np.zeros(20 * SAMPLE_RATE), loud])
    soundfile.write(path, samples, SAMPLE_RATE, bitrate_mode="VARIABLE")
    data = path.read_bytes()
    assert data[13:17] == b"Xing"
    tags = b"ID3\x04\0\0\0\0\x02\x01" + bytes(2 * 128 + 1)
    path.write_bytes(tags + data)
    assert len(load_audio(path)) == len(samples)
    path.write_bytes(tags + data[: len(data) // 3])
    with pytest.raises(AsrError, match=r"speech.mp3 is cut off .*: \d+.\d s of 21.\d s were read"):
        load_audio(path)
    # Without a count libsndfile expects too much of a file that begins so.
    path.write_bytes(data[:21] + bytes(4) + data[25:])
    assert len(load_audio(path)) == pytest.approx(len(samples), abs=2 * 1152)  # with padding
    assert audio_duration(path) == len(load_audio(path)) / SAMPLE_RATE


def test_finds_audio_in_folders_below(tmp_path):
    for name in ("b.wav", "a/c.FLAC", "a/notes.txt", "d.opus"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.wav").mkdir()
    found = [str(path.relative_to(tmp_path)) for path in find_audio(tmp_path)]
    assert found == ["a/c.FLAC", "b.wav", "d.opus"]
