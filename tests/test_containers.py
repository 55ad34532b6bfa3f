"""What phones, browsers and meeting tools record, read by PyAV."""

import subprocess
import sys

import av
import numpy as np
import pytest
import soundfile
from media import KINDS, write_media
from scipy.signal import correlate

from asr.audio.read import (
    EXTENSIONS,
    SAMPLE_RATE,
    audio_duration,
    count_channels,
    find_audio,
    load_audio,
    read_pieces,
)
from asr.errors import AsrError
from asr.transcript import Notice

EXACT = ("mov", "mkv", "tta", "wv")  # lossless at 16 kHz
# Samples of delay that encoders add and containers don't note, by FFmpeg's own decoding.
MOST_DELAY = 1200


@pytest.fixture(scope="module")
def speech(librivox):
    return load_audio(librivox[1].audio_filepath)


def delay(found, expected):
    return int(correlate(found, expected, method="fft").argmax()) - (len(expected) - 1)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read_to_its_end(tmp_path, speech, kind):
    path = tmp_path / f"speech.{kind}"
    write_media(path, speech, kind)
    notices: list[Notice] = []
    found = load_audio(path, notices=notices)
    assert notices == []
    assert path.suffix in EXTENSIONS
    if kind in EXACT:
        np.testing.assert_allclose(found, speech, atol=1e-3)
    assert -300 < len(found) - len(speech) < 2 * MOST_DELAY  # the encoder of WMA drops its last
    if kind in ("m4a", "3gp"):  # at 16 kHz, with the length of the track
        assert len(found) == len(speech)
    late = delay(found, speech)
    assert abs(late) < MOST_DELAY
    if kind != "amr":  # of half the band
        found_part, expected = found[max(0, late) :], speech[max(0, -late) :]
        length = min(len(found_part), len(expected))
        assert np.corrcoef(found_part[:length], expected[:length])[0, 1] > 0.9
    assert audio_duration(path) == pytest.approx(len(found) / SAMPLE_RATE, abs=1e-3)


@pytest.mark.parametrize("kind", ["mp4", "mov", "mkv", "avi"])
def test_video_is_ignored(tmp_path, speech, kind):
    write_media(tmp_path / f"plain.{kind}", speech, kind)
    write_media(tmp_path / f"video.{kind}", speech, kind, video=True)
    plain, video = (load_audio(tmp_path / f"{name}.{kind}") for name in ("plain", "video"))
    assert np.array_equal(plain, video)


def test_channels_are_apart(tmp_path, speech):
    path = tmp_path / "stereo.mkv"
    write_media(path, np.stack([speech, 0.5 * speech[::-1]], axis=1), "mkv")
    assert count_channels(path) == 2
    np.testing.assert_allclose(load_audio(path, channel=2), 0.5 * speech[::-1], atol=1e-3)
    with pytest.raises(AsrError, match=r"stereo.mkv has 2 channels: there is no channel 3"):
        load_audio(path, channel=3)


def test_a_name_says_nothing_about_the_content(tmp_path, speech):
    write_media(tmp_path / "speech.m4a", speech, "m4a")
    (tmp_path / "speech.m4a").rename(tmp_path / "speech.wav")
    assert len(load_audio(tmp_path / "speech.wav")) == len(speech)


@pytest.mark.parametrize("kind", ["mov", "mkv", "avi", "wma"])
def test_a_cut_off_container_gives_what_is_there_and_says_so(tmp_path, speech, kind):
    signal = np.concatenate([speech] * 3)
    path = tmp_path / f"speech.{kind}"
    options = {"movflags": "faststart"} if kind == "mov" else {}  # the index before the audio
    write_media(path, signal, kind, **options)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    notices: list[Notice] = []
    found = load_audio(path, notices=notices)
    assert 0.35 * len(signal) < len(found) < 0.6 * len(signal)
    (notice,) = notices
    assert notice.incomplete
    assert str(path) in notice.text
    with pytest.raises(AsrError, match="cut off"):
        load_audio(path)


def test_a_container_without_its_index_is_one_clear_sentence(tmp_path, speech):
    path = tmp_path / "speech.m4a"
    write_media(path, speech, "m4a")
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(AsrError, match="is not audio in a format that can be read"):
        load_audio(path)


def test_pictures_alone_are_no_audio(tmp_path):
    path = tmp_path / "silent.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(AsrError, match="is not audio in a format that can be read"):
        load_audio(path)


def test_playlists_open_no_other_file(tmp_path, speech):
    soundfile.write(tmp_path / "speech.wav", speech, SAMPLE_RATE)
    (tmp_path / "list.m3u8").write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nspeech.wav\n#EXT-X-ENDLIST\n"
    )
    (tmp_path / "list.ffconcat").write_text("ffconcat version 1.0\nfile speech.wav\n")
    for name in ("list.m3u8", "list.ffconcat"):
        with pytest.raises(AsrError, match="is not audio in a format that can be read"):
            load_audio(tmp_path / name)


def test_long_containers_come_in_pieces(tmp_path):
    noise = 0.1 * np.random.default_rng(0).standard_normal(90 * SAMPLE_RATE).astype(np.float32)
    write_media(tmp_path / "noise.mkv", noise, "mkv")
    pieces = list(read_pieces(tmp_path / "noise.mkv"))
    assert max(map(len, pieces)) < 40 * SAMPLE_RATE
    assert sum(map(len, pieces)) == len(noise)


def test_damage_prints_nothing_without_a_name(tmp_path, speech):
    """Decoders have lines of their own for it, mpg123 and FFmpeg both."""
    random = np.random.default_rng(3)
    soundfile.write(tmp_path / "speech.mp3", speech, SAMPLE_RATE)
    write_media(tmp_path / "speech.m4a", speech, "m4a")
    write_media(tmp_path / "speech.webm", speech, "webm")
    for path in list(tmp_path.iterdir()):
        data = bytearray(path.read_bytes())
        for place in random.integers(len(data) // 3, len(data), 60):
            data[place] ^= 0x55
        path.write_bytes(data)
    script = (
        "import sys\nfrom asr.audio.read import load_audio\nfrom asr.errors import AsrError\n"
        "for path in sys.argv[1:]:\n    try:\n        load_audio(path, notices=[])\n"
        "    except AsrError: pass\n"
    )
    command = [sys.executable, "-c", script, *map(str, tmp_path.iterdir())]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_folders_are_searched_through_links_but_once(tmp_path):
    for name in ("a/one.wav", "b/two.M4A", "b/._two.m4a", "b/notes.txt"):
        (tmp_path / "real" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "real" / name).touch()
    top = tmp_path / "top"
    top.mkdir()
    (top / "linked").symlink_to(tmp_path / "real", target_is_directory=True)
    (tmp_path / "real" / "b" / "back").symlink_to(top, target_is_directory=True)
    (top / "broken").symlink_to(tmp_path / "nowhere")
    (top / "three.webm").symlink_to(tmp_path / "real" / "a" / "one.wav")
    found = [str(path.relative_to(top)) for path in find_audio(top)]
    assert found == ["linked/a/one.wav", "linked/b/two.M4A", "three.webm"]
