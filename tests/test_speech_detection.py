"""Speech detection by the entropy of emissions."""

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
from asr.decoding.decoder_choice import choose_decoder
from asr.decoding.decoder_config import (
    DECODER,
    DecoderConfig,
    read_decoder_config,
    write_decoder_config,
)
from asr.decoding.options import DecodingOptions, LmChoice
from asr.decoding.speech_detection import MAX_ENTROPY, emission_entropy, fit_max_entropy
from asr.errors import AsrError
from asr.inference import load_engine
from asr.transcription.recogniser import Recogniser

FRAME = 0.04  # seconds
SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "bench_nonspeech"
PIECES, REJECTED = 8, 7  # pieces of music, and those of them that are no speech to the model


def rows(*frames):
    """Log-probabilities, shape (1, frames, units), of probabilities."""
    return torch.tensor([frames], dtype=torch.float64).log()


def utterance(word, pause):
    """A unit at each side of ``pause`` frames that are the blank for certain."""
    return rows(*[word, *[[0.998, 0.001, 0.001]] * pause, word])


def test_entropy_is_counted_per_emission():
    frames = np.array([[0.2, 0.7, 0.1], [0.9, 0.05, 0.05], [0.3, 0.3, 0.4]])
    entropy = -(frames * np.log(frames)).sum()
    found = emission_entropy(rows(*frames.tolist()), torch.tensor([3]), FRAME)
    assert found.tolist() == pytest.approx([entropy / (0.8 + 0.1 + 0.7)])


def test_certain_emissions_have_little_entropy():
    sure = emission_entropy(utterance([0.02, 0.97, 0.01], 3), torch.tensor([5]), FRAME)
    unsure = emission_entropy(utterance([0.3, 0.4, 0.3], 3), torch.tensor([5]), FRAME)
    assert sure < 0.3 < 1.0 < unsure


def test_a_long_pause_counts_no_more_than_a_short_one():
    word = [0.1, 0.8, 0.1]
    short, long = (
        emission_entropy(utterance(word, pause), torch.tensor([pause + 2]), FRAME)[0]
        for pause in (10, 500)
    )
    assert long == pytest.approx(short)


def test_without_emissions_it_is_infinite():
    silence = rows(*[[0.9, 0.05, 0.05]] * 4)
    assert emission_entropy(silence, torch.tensor([4]), FRAME).tolist() == [np.inf]
    assert emission_entropy(silence, torch.tensor([0]), FRAME).tolist() == [np.inf]


def test_without_blanks_it_is_infinite():
    swing = [[0.001, 0.998, 0.001], [0.001, 0.001, 0.998]]
    short, long = rows(*swing * 10), rows(*swing * 50)
    assert emission_entropy(short, torch.tensor([20]), FRAME) < 0.1
    assert emission_entropy(long, torch.tensor([100]), FRAME).tolist() == [np.inf]
    long[:, ::25] = rows([0.998, 0.001, 0.001])[0]
    assert emission_entropy(long, torch.tensor([100]), FRAME) < 0.1


def test_other_utterances_and_padding_change_nothing():
    first, second = utterance([0.1, 0.6, 0.3], 2), utterance([0.1, 0.2, 0.7], 5)
    padded = torch.cat([torch.cat([first, rows(*[[0.1, 0.8, 0.1]] * 3)], dim=1), second])
    together = emission_entropy(padded, torch.tensor([4, 7]), FRAME)
    alone = [emission_entropy(x, torch.tensor([x.shape[1]]), FRAME).item() for x in (first, second)]
    assert together.tolist() == pytest.approx(alone)


def test_units_may_be_impossible():
    certain = torch.full((1, 2, 3), -torch.inf)
    certain[0, :, 1] = 0.0
    assert emission_entropy(certain, torch.tensor([2]), FRAME).tolist() == [0.0]


def test_the_limit_is_raised_for_a_model_that_is_less_certain_of_speech():
    clear = utterance([0.02, 0.97, 0.01], 3)[0]
    assert fit_max_entropy([clear] * 10, FRAME) == MAX_ENTROPY
    assert fit_max_entropy([], FRAME) == MAX_ENTROPY
    wide = rows(*[[0.1, 0.12, *[0.78 / 9] * 9]] * 4)[0]
    raised = fit_max_entropy([clear] * 10 + [wide] * 10, FRAME)
    assert raised == pytest.approx(
        emission_entropy(wide[None], torch.tensor([4]), FRAME).item(), abs=0.01
    )
    assert raised > MAX_ENTROPY


@pytest.fixture(scope="module")
def music():
    """Pieces of 8 s as scripts/bench_nonspeech plays them."""
    loader = SourceFileLoader("bench_nonspeech", str(SCRIPT))
    spec = spec_from_loader(loader.name, loader)
    script = module_from_spec(spec)
    loader.exec_module(script)
    return [
        script.piece(8 * SAMPLE_RATE, np.random.default_rng(seed)).astype(np.float32)
        for seed in range(PIECES)
    ]


def test_speech_is_decoded_and_music_is_not(librivox, music):
    folder = open_model()
    parts = load_engine(folder), folder.tokenizer, GreedyDecoder(folder.tokenizer)
    limit = read_decoder_config(folder.path / DECODER).max_doubt
    everything, speech_only = Recogniser(*parts), Recogniser(*parts, max_entropy=limit)
    signals = [load_audio(clip.audio_filepath) for clip in librivox[:3]]
    texts = [found[0].text for found in everything.recognise([*signals, *music])]
    assert all(texts)  # or there would be nothing to reject
    assert [found[0].text for found in speech_only.recognise(signals)] == texts[:3]
    pieces = [found[0].text for found in speech_only.recognise(music)]
    assert pieces.count("") >= REJECTED


@pytest.mark.parametrize("decoder", [None, "greedy"])
def test_the_bundled_model_writes_nothing_for_music(tmp_path, music, decoder):
    paths = [tmp_path / f"{index}.wav" for index in range(PIECES)]
    for path, piece in zip(paths, music, strict=True):
        soundfile.write(path, piece, SAMPLE_RATE)
    transcripts = asr.load(decoder=decoder).transcribe_files(paths)
    assert sum(transcript.segments == () for transcript in transcripts) >= REJECTED


def test_a_model_without_a_config_has_no_limit(tmp_path):
    def max_entropy(folder, **options):
        options = DecodingOptions(**options)
        return choose_decoder(open_model().tokenizer_of, folder, options).max_entropy

    assert max_entropy(find_model()) is not None
    assert max_entropy(find_model(), lm=LmChoice.NONE) == max_entropy(find_model())
    assert max_entropy(find_model(), decoder="greedy") == max_entropy(find_model())
    folder = tmp_path / "model"
    shutil.copytree(find_model(), folder, ignore=shutil.ignore_patterns("words.*", DECODER))
    assert max_entropy(folder) is None
    assert max_entropy(folder, decoder="beam") is None
    write_decoder_config(tmp_path / "other.yaml", DecoderConfig(max_doubt=2.5))
    assert max_entropy(folder, config=tmp_path / "other.yaml") == 2.5
    (folder / DECODER).write_text("max_doubt: null\n")
    assert max_entropy(folder) is None
    (folder / DECODER).write_text("max_doubt: -1\n")
    with pytest.raises(AsrError, match="wrong value for max_doubt"):
        max_entropy(folder)


def test_the_script_finds_few_words_without_speech():
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
