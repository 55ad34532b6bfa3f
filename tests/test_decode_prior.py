"""Label priors: posteriors divided by how readily the model emits each unit."""

import re

import numpy as np
import pytest
import torch

import asr
from asr.acoustic.folder import find_model, open_model
from asr.audio.read import load_audio
from asr.cli.main import main
from asr.corpora.manifest import write_manifest
from asr.decoding import BeamOptions, GreedyDecoder, make_decoder
from asr.decoding import label_prior as prior
from asr.decoding.decoder_config import read_decoder_config, write_decoder_config
from asr.errors import AsrError
from asr.inference import load_engine
from asr.tokenizers.tokenizer import CharacterTokenizer
from asr.transcription.recogniser import Recogniser
from asr.tuning.tune import tune_beam

LETTERS = CharacterTokenizer(" AB")
SHARES = {"<blank>": 0.6, " ": 0.1, "A": 0.25, "B": 0.05}
WORDS = [("A", (2,), 0.0), ("B", (3,), 0.0), ("AB", (2, 3), 0.0), ("BA", (3, 2), 0.0)]


def emissions(frames, seed=0):
    logits = torch.randn(frames, len(LETTERS), generator=torch.Generator().manual_seed(seed))
    return torch.log_softmax(logits, dim=-1)


def decode(log_probs, prior=None, weight=0.6):
    options = BeamOptions(64, 100.0, -100.0, prior_weight=weight, nbest=20)
    decoder = make_decoder("beam", LETTERS, options=options, lexicon=WORDS, prior=prior)
    (found,) = decoder.decode(log_probs[None], torch.tensor([len(log_probs)]))
    return {hypothesis.text: hypothesis.score for hypothesis in found}


@pytest.mark.parametrize("weight", [0.3, 1.0])
def test_the_search_sees_scaled_likelihoods(weight):
    for seed in range(3):
        log_probs = emissions(9, seed)
        scaled = []
        for row in log_probs.exp().tolist():
            quotients = [p / q**weight for p, q in zip(row, SHARES.values(), strict=True)]
            scaled.append([quotient / sum(quotients) for quotient in quotients])
        expected = decode(torch.tensor(scaled).log())
        found = decode(log_probs, SHARES, weight)
        assert found == pytest.approx(expected, abs=1e-4)
        assert found != pytest.approx(decode(log_probs), abs=1e-2)


def test_a_weight_of_zero_and_equal_shares_change_nothing():
    log_probs = emissions(12)
    assert decode(log_probs, SHARES, 0.0) == decode(log_probs)
    assert decode(log_probs, dict.fromkeys(SHARES, 0.25)) == pytest.approx(
        decode(log_probs), abs=1e-5
    )


def test_frames_may_come_in_pieces():
    log_probs = emissions(15)
    decoder = make_decoder("beam", LETTERS, lexicon=WORDS, prior=SHARES)
    stream = decoder.stream()
    for piece in log_probs.split(4):
        stream.feed(piece)
    stream.feed(log_probs[:0])
    (whole,) = decoder.decode(log_probs[None], torch.tensor([15]))
    assert stream.finish() == whole


def test_it_is_the_mean_of_what_the_model_says(librivox):
    folder = open_model()
    tokenizer = folder.tokenizer_of("intermediate")
    recogniser = Recogniser(
        load_engine(folder), tokenizer, GreedyDecoder(tokenizer), "intermediate"
    )
    heard = [recogniser.log_probs([load_audio(clip.audio_filepath)])[0][0] for clip in librivox]
    found = prior.measure(heard, tokenizer)
    frames = np.concatenate([np.exp(rows) for rows in heard])
    assert list(found) == list(tokenizer.units)
    assert list(found.values()) == pytest.approx(frames.mean(axis=0), abs=2e-6)
    assert max(found, key=found.get) == "<blank>"


def test_tuning_measures_it_on_its_set_and_weighs_it(librivox, tmp_path, capsys):
    manifest, output = tmp_path / "clips.jsonl", tmp_path / "tuned.yaml"
    write_manifest(manifest, librivox[1:3])
    folder = find_model()
    command = ["tune", "english", str(manifest), "--lm", str(folder / "words.lm")]
    command += ["--lexicon", str(folder / "words.lexicon"), "--head", "intermediate"]
    assert main([*command, "-o", str(output)]) == 0
    tried = set(re.findall(r"prior weight (\d\.\d\d)", capsys.readouterr().err))
    assert {"0.40", "0.60", "0.80"} <= tried
    config = read_decoder_config(output)
    assert f"{config.beam.prior_weight:.2f}" in tried
    assert config.prior.keys() == set(open_model().tokenizer_of("intermediate").units)
    assert sum(config.prior.values()) == pytest.approx(1, abs=1e-4)


def test_the_search_for_its_weight_stays_within_bounds():
    rows = [emissions(9, seed) for seed in range(4)]
    references = ["A B", "BA", "AB", "B"]

    def readings(options):
        decoder = make_decoder("beam", LETTERS, options=options, lexicon=WORDS, prior=SHARES)
        return [decoder.decode(row[None], torch.tensor([9]))[0][0] for row in rows]

    for start in (0.0, 2.0):
        trials = list(tune_beam(readings, references, BeamOptions(prior_weight=start)))
        tried = {trial.options.prior_weight for trial in trials}
        assert len(tried) > 1
        assert min(tried) >= 0.0
        assert max(tried) <= 2.0


def test_a_prior_of_other_units_is_refused(tmp_path):
    config = read_decoder_config(find_model() / "decoder.yaml")
    path = tmp_path / "decoder.yaml"
    write_decoder_config(path, config.model_copy(update={"prior": SHARES}))
    with pytest.raises(AsrError, match=r"prior and the model's units don't agree about .*asr tune"):
        asr.load(config=path)
    # Without its words the other head is read, whose units it never was for.
    assert asr.load(config=path, lm="none").decoder_name == "beam"


def test_a_weight_out_of_range_is_refused():
    with pytest.raises(AsrError, match=r"the prior weight must be from 0 to 2, not -0\.1"):
        BeamOptions(prior_weight=-0.1)
