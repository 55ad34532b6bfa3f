import pickle
import shutil
from dataclasses import replace

import numpy as np
import pytest

from asr.audio import load_audio
from asr.cache import open_cache
from asr.errors import AsrError


def test_holds_what_the_files_hold(tmp_path, librivox):
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


def test_is_made_again_only_when_a_file_changed(tmp_path, librivox):
    path = tmp_path / "clip.wav"
    shutil.copy(librivox[1].audio_filepath, path)
    utterance = replace(librivox[1], audio_filepath=str(path))
    open_cache(tmp_path, "clip", [utterance])
    open_cache(tmp_path, "clip", [utterance])
    assert len(list(tmp_path.glob("*.pcm"))) == 1
    shutil.copy(librivox[4].audio_filepath, path)
    cache, _, _ = open_cache(tmp_path, "clip", [utterance])
    assert cache.samples(0) == len(load_audio(librivox[4].audio_filepath))
