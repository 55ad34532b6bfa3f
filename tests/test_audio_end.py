"""The end of a recording is where its bytes end, whatever a header promises."""

import os
import struct
import threading

import numpy as np
import pytest
import soundfile

from asr.audio.iff_chunks import scan_wav
from asr.audio.layout import examine
from asr.audio.read import (
    SAMPLE_RATE,
    IncompleteAudio,
    audio_duration,
    load_audio,
    to_16k_mono,
)
from asr.audio.sndfile_reader import SndfileReader
from asr.errors import AsrError
from asr.transcript import Notice


@pytest.fixture(scope="module")
def clips(librivox):
    return [load_audio(librivox[index].audio_filepath) for index in (1, 4)]


def read(path):
    """The samples, and what is said of the file."""
    notices: list[Notice] = []
    samples = load_audio(path, notices=notices)
    for notice in notices:
        assert str(path) in notice.text
    return samples, notices


def write(path, signal, **options):
    soundfile.write(path, signal, SAMPLE_RATE, **options)
    return path.read_bytes()


def without_tag(data):
    """An MP3 without the frame that counts the others."""
    assert b"Xing" in data[:200] or b"Info" in data[:200]
    return data[data.index(data[:2], 100) :]


def ones_own(tmp_path, data, name):
    path = tmp_path / name
    path.write_bytes(data)
    return load_audio(path)


def test_mp3_of_varying_rate_without_a_count_is_read_whole(tmp_path, clips):
    hum = 0.3 * np.sin(np.arange(8 * SAMPLE_RATE) / 9.0)
    loud = 0.3 * np.random.default_rng(0).standard_normal(20 * SAMPLE_RATE)
    signal = np.concatenate([loud[: 4 * SAMPLE_RATE], 0.01 * hum, clips[0], hum])
    path = tmp_path / "pipe.mp3"
    path.write_bytes(without_tag(write(path, signal, bitrate_mode="VARIABLE")))
    assert soundfile.info(path).frames < 0.9 * len(signal)  # the guess from the first frame
    samples, notices = read(path)
    assert notices == []
    assert len(samples) == pytest.approx(len(signal), abs=3 * 1152)
    assert audio_duration(path) == pytest.approx(len(samples) / SAMPLE_RATE, abs=1e-3)


@pytest.mark.parametrize("between", [b"", b"TAG" + bytes(125), b"ID3\4\0\0\0\0\0\7" + bytes(7)])
@pytest.mark.parametrize("tag", [True, False])
def test_mp3_streams_one_behind_the_other_are_all_read(tmp_path, clips, between, tag):
    path = tmp_path / "joined.mp3"
    parts = [write(path, clip) for clip in clips]
    parts = parts if tag else [without_tag(part) for part in parts]
    path.write_bytes(parts[0] + between + parts[1])
    samples, notices = read(path)
    assert notices == []
    assert len(samples) == pytest.approx(sum(map(len, clips)), abs=6 * 1152)
    assert audio_duration(path) == pytest.approx(len(samples) / SAMPLE_RATE, abs=0.2)


@pytest.mark.parametrize(
    "options",
    [
        {"format": "OGG", "subtype": "VORBIS"},
        {"format": "OGG", "subtype": "OPUS"},
        {"format": "FLAC"},
        {"format": "WAV"},
        {"format": "AIFF"},
    ],
    ids=lambda options: options.get("subtype", options["format"]),
)
def test_files_one_behind_the_other_are_read_as_each_alone(tmp_path, clips, options):
    path = tmp_path / "chain"
    parts = [write(path, clip, **options) for clip in (*clips, clips[0])]
    expected = [ones_own(tmp_path, part, "part") for part in parts]
    path.write_bytes(b"".join(parts))
    samples, notices = read(path)
    assert notices == []
    assert np.array_equal(samples, np.concatenate(expected))
    assert audio_duration(path) == len(samples) / SAMPLE_RATE


def test_parts_may_have_rates_and_channels_of_their_own(tmp_path, clips):
    path = tmp_path / "chain.wav"
    first = write(path, clips[0])
    soundfile.write(path, np.stack([clips[1]] * 2, axis=1), 8_000)
    path.write_bytes(first + path.read_bytes())
    samples, _ = read(path)
    as_pcm = np.rint(clips[1] * 32768).clip(-32768, 32767).astype(np.float32) / 32768
    expected = to_16k_mono(np.stack([as_pcm] * 2, axis=1), 8_000)
    assert len(samples) == len(clips[0]) + len(expected)
    np.testing.assert_allclose(samples[len(clips[0]) :], expected, atol=1e-3)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "ULAW", "IMA_ADPCM"])
@pytest.mark.parametrize("size", [0, 1000, 0x7FFFFFFF, 0xFFFFFFFF])
def test_wav_with_another_size_is_read_to_its_end(tmp_path, clips, subtype, size):
    path = tmp_path / "died.wav"
    data = bytearray(write(path, clips[0], subtype=subtype))
    expected = load_audio(path)
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", size)
    data[4:8] = struct.pack("<I", 0)
    path.write_bytes(data)
    samples, (notice,) = read(path)
    assert not notice.incomplete
    assert np.array_equal(samples[: len(expected)], expected)
    assert len(samples) - len(expected) < 2100  # of other chunks that were behind
    assert audio_duration(path) == len(samples) / SAMPLE_RATE
    load_audio(path)  # no error


@pytest.mark.parametrize("order", ["aiff", "rifx"])
def test_other_headers_without_a_length(tmp_path, clips, order):
    path = tmp_path / "died"
    if order == "aiff":
        data = bytearray(write(path, clips[0], format="AIFF"))
        for name, places in ((b"COMM", (10,)), (b"SSND", (4,)), (b"FORM", (4,))):
            for place in places:
                at = data.index(name) + place
                data[at : at + 4] = bytes(4)
    else:
        data = bytearray(write(path, clips[0], format="WAV", endian="BIG"))
        at = data.index(b"data") + 4
        data[at : at + 4] = bytes(4)
    expected = ones_own(tmp_path, write(path, clips[0], format="WAV"), "whole")
    path.write_bytes(data)
    samples, (notice,) = read(path)
    assert not notice.incomplete
    assert np.array_equal(samples, expected)


def test_chunks_behind_the_audio_are_no_audio(tmp_path, clips):
    path = tmp_path / "tagged.wav"
    data = bytearray(write(path, clips[0]))
    data += b"LIST" + struct.pack("<I", 20_000) + bytes(20_000)
    path.write_bytes(data)
    samples, notices = read(path)
    assert notices == []
    assert len(samples) == len(clips[0])


def test_a_size_that_wrapped_around_at_4_gb(tmp_path):
    """The scan alone: to read five gigabytes takes long."""
    header = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36, b"WAVE", b"fmt ", 16, 1, 1, 16_000,
                         32_000, 2, 16, b"data", 4)  # fmt: skip
    length = (1 << 32) + 4
    path = tmp_path / "long.wav"
    with open(path, "wb") as file:
        file.write(header)
        file.truncate(len(header) + length)
    layout = examine(path)
    (part,) = layout.parts
    assert (part.start, part.stop - part.start) == (len(header), length)
    assert layout.without_length
    assert part.header.startswith(b"RF64")
    again = scan_wav(part.header + bytes(64))
    assert again is not None
    assert again.promised == length / 32_000
    assert SndfileReader(path, layout).seconds() == length / 32_000


@pytest.mark.parametrize(
    "options",
    [
        {"format": "WAV"},
        {"format": "AIFF"},
        {"format": "FLAC"},
        {"format": "OGG", "subtype": "VORBIS"},
        {"format": "OGG", "subtype": "OPUS"},
        {"format": "MP3"},
        {"format": "MP3", "bitrate_mode": "VARIABLE"},
    ],
    ids=lambda options: "-".join(options.values()),
)
def test_of_a_cut_off_file_what_is_there_is_read_and_the_rest_is_missed(tmp_path, clips, options):
    signal = np.concatenate([*clips, *clips])
    path = tmp_path / "cut"
    data = write(path, signal, **options)
    expected = load_audio(path)
    path.write_bytes(data[: len(data) // 2 + 7])
    samples, (notice,) = read(path)
    assert notice.incomplete
    assert 0.3 * len(signal) < len(samples) < 0.6 * len(signal)
    same = min(len(samples), len(expected)) - 1200  # the last frame of a codec lacks its successor
    np.testing.assert_allclose(samples[:same], expected[:same], atol=1e-5)
    with pytest.raises(IncompleteAudio, match=r"cut is cut off or damaged: \d+\.\d s"):
        load_audio(path)
    assert audio_duration(path) == pytest.approx(len(samples) / SAMPLE_RATE, abs=0.1)


def test_the_end_may_be_damaged_too(tmp_path, clips):
    path = tmp_path / "damaged.flac"
    data = bytearray(write(path, clips[0]))
    middle = len(data) // 2
    data[middle : middle + 5000] = bytes(5000)
    path.write_bytes(data)
    samples, (notice,) = read(path)
    assert notice.incomplete
    assert 0.3 * len(clips[0]) < len(samples) < len(clips[0])


def test_pipes_are_read_once(tmp_path, clips):
    path, pipe = tmp_path / "speech.flac", tmp_path / "pipe"
    data = write(path, clips[0])
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(data,), daemon=True)
    writer.start()
    assert np.array_equal(load_audio(pipe), load_audio(path))
    writer.join(timeout=10)
    with pytest.raises(AsrError, match="is a pipe or a device, which can be read only once"):
        audio_duration(pipe)


def test_a_channel_that_is_the_other_upside_down_is_turned(tmp_path, clips):
    for name, second in (("whole", -clips[0]), ("nearly", -0.9 * clips[0])):
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, np.stack([clips[0], second], 1), SAMPLE_RATE, subtype="FLOAT")
        mixed = load_audio(path)
        assert np.corrcoef(mixed, clips[0])[0, 1] == pytest.approx(1.0, abs=1e-6)
        assert np.std(mixed) > 0.9 * np.std(clips[0])
    channels = np.stack([clips[0], clips[0], -clips[0], -clips[0]], 1)
    mixed = to_16k_mono(channels, SAMPLE_RATE)
    np.testing.assert_allclose(mixed, clips[0], atol=1e-6)


def test_channels_of_their_own_are_averaged(clips):
    length = min(map(len, clips))
    signal = np.stack([clip[:length] for clip in clips], 1)
    assert np.array_equal(to_16k_mono(signal, SAMPLE_RATE), signal.mean(1, dtype=np.float32))
    quiet = np.stack([clips[0], -0.3 * clips[0]], 1)  # cancels in part, as rooms do
    assert np.array_equal(to_16k_mono(quiet, SAMPLE_RATE), quiet.mean(1, dtype=np.float32))
