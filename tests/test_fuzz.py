"""A few damaged files of each kind; FUZZ_COUNT=2000 for as many as it takes to be sure."""

import os

import fuzz
import mutants
import numpy as np
import pytest

from asr import AsrError

COUNT = int(os.environ.get("FUZZ_COUNT", "40"))


@pytest.mark.timeout(60 + 3 * COUNT)
@pytest.mark.parametrize("kind", fuzz.KINDS, ids=lambda kind: kind.__name__)
def test_damaged_files_do_no_harm(kind):
    fuzz.fuzz(kind, max(1, round(COUNT * fuzz.KINDS[kind])), fuzz.SEED)


def test_the_damage_is_the_same_every_time_and_takes_every_form():
    speech = [np.sin(np.arange(16_000, dtype=np.float32))]
    runs = [mutants.audio(speech, np.random.default_rng(fuzz.SEED)) for _ in range(2)]
    names = []
    for _ in range(800):
        first, second = (next(run) for run in runs)
        assert first == second
        names.append(first.name)
    kinds = {name.split("-")[1].split(".")[0] for name in names}
    assert len(kinds) == 15
    assert {name.rsplit(".")[1] for name in names} == {
        *(extension for _, _, extension in mutants.CONTAINERS),
        *mutants.MEDIA,
    }


def test_what_breaks_is_noticed(monkeypatch):
    def worse(path, channel=None, notices=None):
        raise sabotage

    monkeypatch.setattr("asr.transcription.transcriber.load_audio", worse)
    sabotage = ValueError("a number")
    with pytest.raises(fuzz.Broken, match=r"fell over:(.|\n)*ValueError: a number"):
        fuzz.fuzz(fuzz.audio, 1, fuzz.SEED)
    sabotage = AsrError("something is wrong with some file")
    with pytest.raises(fuzz.Broken, match="neither transcribed nor reported"):
        fuzz.fuzz(fuzz.audio, 1, fuzz.SEED)
