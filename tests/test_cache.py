import os
import pickle
import shutil
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from asr.audio.read import load_audio
from asr.errors import AsrError
from asr.training.audio_cache import open_cache


def test_a_cache_holds_the_samples_of_the_files(tmp_path, librivox):
    cache, held, problems = open_cache(tmp_path, "clips", librivox)
    assert held == librivox
    assert problems == []
    for index, utterance in enumerate(librivox):
        samples = load_audio(utterance.audio_filepath)
        assert cache.samples(index) == len(samples)
        np.testing.assert_allclose(cache[index], samples, atol=1 / 32767)
    other = pickle.loads(pickle.dumps(cache.select([3, 0])))
    np.testing.assert_array_equal(other[0], cache[3])


def test_bad_files_are_reported_and_leave_the_others_in_place(tmp_path, librivox):
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"RIFF")
    missing = replace(librivox[0], audio_filepath=str(tmp_path / "missing.wav"))
    utterances = [missing, librivox[1], replace(librivox[0], audio_filepath=str(bad)), librivox[2]]
    cache, held, problems = open_cache(tmp_path, "clips", utterances)
    assert held == [librivox[1], librivox[2]]
    assert len(problems) == 2
    assert "missing.wav does not exist" in problems[0]
    assert len(cache[1]) == len(load_audio(librivox[2].audio_filepath))
    with pytest.raises(AsrError, match="none of the 1 audio files"):
        open_cache(tmp_path, "none", [missing])


def test_a_cache_is_rebuilt_only_when_a_file_changed(tmp_path, librivox):
    path = tmp_path / "clip.wav"
    shutil.copy(librivox[1].audio_filepath, path)
    utterance = replace(librivox[1], audio_filepath=str(path))
    open_cache(tmp_path, "clip", [utterance])
    open_cache(tmp_path, "clip", [utterance])
    assert len(list(tmp_path.glob("*.pcm"))) == 1
    shutil.copy(librivox[4].audio_filepath, path)
    cache, _, _ = open_cache(tmp_path, "clip", [utterance])
    assert cache.samples(0) == len(load_audio(librivox[4].audio_filepath))


def test_floats_of_the_size_of_integers_keep_their_shape(tmp_path, librivox):
    samples = load_audio(librivox[0].audio_filepath)
    path = tmp_path / "loud.wav"
    soundfile.write(path, samples * 32768, 16_000, subtype="FLOAT")
    cache, _, _ = open_cache(tmp_path, "loud", [replace(librivox[0], audio_filepath=str(path))])
    np.testing.assert_allclose(cache[0], samples / np.abs(samples).max(), atol=1 / 32767)


def test_a_file_that_was_left_out_is_tried_again(tmp_path, librivox):
    path = tmp_path / "clip.wav"
    shutil.copy(librivox[1].audio_filepath, path)
    whole, time = path.read_bytes(), path.stat().st_mtime_ns
    path.write_bytes(b"JUNK" + whole[4:])
    os.utime(path, ns=(time, time))
    utterances = [replace(librivox[1], audio_filepath=str(path)), librivox[2]]
    assert open_cache(tmp_path, "clips", utterances)[1] == utterances[1:]
    path.write_bytes(whole)  # as when another libsndfile can read what one could not
    os.utime(path, ns=(time, time))
    cache, held, problems = open_cache(tmp_path, "clips", utterances)
    assert held == utterances
    assert problems == []
    assert len(cache[0]) == len(load_audio(path))


def test_names_may_be_longer_than_those_of_files(tmp_path, librivox):
    cache, _, _ = open_cache(tmp_path, "+".join(["übung"] * 60), librivox[:1])
    assert len(cache) == 1
