import shutil
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import asr
from asr.acoustic.folder import find_model, open_model
from asr.audio.read import SAMPLE_RATE, load_audio
from asr.decoding import GreedyDecoder
from asr.decoding.decoder_config import (
    DECODER,
    DecoderConfig,
    choose_decoder,
    read_decoder_config,
    write_decoder_config,
)
from asr.decoding.speech_detection import LIMIT, doubt, limit
from asr.errors import AsrError
from asr.inference import load_engine
from asr.transcription.recogniser import Recogniser

FRAME = 0.04  # seconds
SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "bench_nonspeech"
SEED = 3  # of a piece that models doubt as they do most


def rows(*frames):
    """Log-probabilities, shape (1, frames, units), of probabilities."""
    return torch.tensor([frames], dtype=torch.float64).log()


def utterance(word, pause):
    """A unit at each side of ``pause`` frames that are the blank for certain."""
    return rows(*[word, *[[0.998, 0.001, 0.001]] * pause, word])


def test_doubt_is_entropy_by_emission():
    frames = np.array([[0.2, 0.7, 0.1], [0.9, 0.05, 0.05], [0.3, 0.3, 0.4]])
    entropy = -(frames * np.log(frames)).sum()
    found = doubt(rows(*frames.tolist()), torch.tensor([3]), FRAME)
    assert found.tolist() == pytest.approx([entropy / (0.8 + 0.1 + 0.7)])


def test_who_knows_what_he_hears_doubts_little():
    sure = doubt(utterance([0.02, 0.97, 0.01], 3), torch.tensor([5]), FRAME)
    unsure = doubt(utterance([0.3, 0.4, 0.3], 3), torch.tensor([5]), FRAME)
    assert sure < 0.3 < 1.0 < unsure


def test_a_long_pause_counts_no_more_than_a_short_one():
    word = [0.1, 0.8, 0.1]
    short, long = (
        doubt(utterance(word, pause), torch.tensor([pause + 2]), FRAME)[0] for pause in (10, 500)
    )
    assert long == pytest.approx(short)


def test_who_says_nothing_doubts_all():
    silence = rows(*[[0.9, 0.05, 0.05]] * 4)
    assert doubt(silence, torch.tensor([4]), FRAME).tolist() == [np.inf]
    assert doubt(silence, torch.tensor([0]), FRAME).tolist() == [np.inf]


def test_who_never_pauses_does_not_speak():
    swing = [[0.001, 0.998, 0.001], [0.001, 0.001, 0.998]]
    short, long = rows(*swing * 10), rows(*swing * 50)
    assert doubt(short, torch.tensor([20]), FRAME) < 0.1
    assert doubt(long, torch.tensor([100]), FRAME).tolist() == [np.inf]
    long[:, ::25] = rows([0.998, 0.001, 0.001])[0]
    assert doubt(long, torch.tensor([100]), FRAME) < 0.1


def test_company_and_padding_change_nothing():
    first, second = utterance([0.1, 0.6, 0.3], 2), utterance([0.1, 0.2, 0.7], 5)
    padded = torch.cat([torch.cat([first, rows(*[[0.1, 0.8, 0.1]] * 3)], dim=1), second])
    together = doubt(padded, torch.tensor([4, 7]), FRAME)
    alone = [doubt(x, torch.tensor([x.shape[1]]), FRAME).item() for x in (first, second)]
    assert together.tolist() == pytest.approx(alone)


def test_impossible_units_are_no_trouble():
    certain = torch.full((1, 2, 3), -torch.inf)
    certain[0, :, 1] = 0.0
    assert doubt(certain, torch.tensor([2]), FRAME).tolist() == [0.0]


def test_the_limit_is_raised_for_a_model_that_doubts_speech():
    clear = utterance([0.02, 0.97, 0.01], 3)[0]
    assert limit([clear] * 10, FRAME) == LIMIT
    assert limit([], FRAME) == LIMIT
    wide = rows(*[[0.1, 0.12, *[0.78 / 9] * 9]] * 4)[0]
    raised = limit([clear] * 10 + [wide] * 10, FRAME)
    assert raised == pytest.approx(doubt(wide[None], torch.tensor([4]), FRAME).item(), abs=0.01)
    assert raised > LIMIT


@pytest.fixture(scope="module")
def music():
    """Some bars as scripts/bench_nonspeech plays them, 8 s."""
    loader = SourceFileLoader("bench_nonspeech", str(SCRIPT))
    spec = spec_from_loader(loader.name, loader)
    script = module_from_spec(spec)
    loader.exec_module(script)
    return script.piece(8 * SAMPLE_RATE, np.random.default_rng(SEED)).astype(np.float32)


def test_speech_is_heard_and_music_is_not(librivox, music):
    folder = open_model()
    parts = load_engine(folder), folder.tokenizer, GreedyDecoder(folder.tokenizer)
    most = read_decoder_config(folder.path / DECODER).max_doubt
    hears_all, careful = Recogniser(*parts), Recogniser(*parts, max_doubt=most)
    signals = [*(load_audio(clip.audio_filepath) for clip in librivox[:3]), music]
    *speech, notes = (found[0].text for found in hears_all.recognise(signals))
    assert all(speech)
    assert notes  # or there would be nothing to show here
    assert [found[0].text for found in careful.recognise(signals)] == [*speech, ""]


@pytest.mark.parametrize("decoder", [None, "greedy"])
def test_the_bundled_model_writes_nothing_for_music(tmp_path, music, decoder):
    soundfile.write(tmp_path / "music.wav", music, SAMPLE_RATE)
    assert asr.load(decoder=decoder).transcribe(tmp_path / "music.wav").segments == ()


def test_a_model_of_which_nothing_is_known_may_doubt(tmp_path):
    def max_doubt(folder, **wishes):
        return choose_decoder(open_model().tokenizer_of, folder, **wishes).max_doubt

    assert max_doubt(find_model()) is not None
    assert max_doubt(find_model(), lm="none") == max_doubt(find_model(), decoder="greedy")
    assert max_doubt(find_model(), decoder="greedy") == max_doubt(find_model())
    folder = tmp_path / "model"
    shutil.copytree(find_model(), folder, ignore=shutil.ignore_patterns("words.*", DECODER))
    assert max_doubt(folder) is None
    assert max_doubt(folder, decoder="beam") is None
    write_decoder_config(tmp_path / "other.yaml", DecoderConfig(max_doubt=2.5))
    assert max_doubt(folder, config=tmp_path / "other.yaml") == 2.5
    (folder / DECODER).write_text("max_doubt: null\n")
    assert max_doubt(folder) is None
    (folder / DECODER).write_text("max_doubt: -1\n")
    with pytest.raises(AsrError, match="wrong value for max_doubt"):
        max_doubt(folder)


def test_the_script_finds_few_words_where_nobody_speaks():
    arguments = ["--minutes", "0.7", "--decoders", "greedy", "--sounds", "zero", "room", "music"]
    found = subprocess.run(
        [sys.executable, SCRIPT, *arguments], check=True, capture_output=True, text=True
    )
    lines = found.stdout.splitlines()
    assert lines[0] == "greedy: words a minute"
    rates = {name: float(rate) for name, rate, *_ in map(str.split, lines[1:])}
    assert rates.keys() == {"zero", "room", "music"}
    assert rates["zero"] == rates["room"] == 0.0
    assert rates["music"] < 10.0
