"""The second pass: n-best lists rescored by the other head and by an LSTM language model."""

import itertools
import json
import math

import numpy as np
import pytest
import torch

import asr
from asr.acoustic.folder import find_model, open_model
from asr.audio.read import load_audio
from asr.cli.main import main
from asr.config.schema import RecurrentConfig
from asr.corpora.manifest import write_manifest
from asr.decoding import Hypothesis
from asr.decoding.decoder_config import (
    DecoderConfig,
    SecondPassConfig,
    read_decoder_config,
    write_decoder_config,
)
from asr.decoding.options import BeamOptions, SecondPassWeights
from asr.decoding.second_pass import SecondPass, likelihoods, reorder
from asr.errors import AsrError
from asr.tokenizers.tokenizer import CharacterTokenizer
from asr.training.lstm_lm import train_recurrent
from asr.tuning.rescoring_weights import Candidates, tune_rescoring_weights


@pytest.fixture(scope="module")
def recurrent(librivox, tmp_path_factory):
    """A small model of what the bundled clips say."""
    folder = tmp_path_factory.mktemp("lm")
    text = folder / "text.txt"
    text.write_text("\n".join(clip.text for clip in librivox * 20) + "\n")
    config = RecurrentConfig(units=50, hidden=16, layers=1, epochs=2, precision="float32")
    train_recurrent([text], folder / "clips.lstm", config)
    return folder / "clips.lstm"


@pytest.fixture
def rescoring(recurrent, tmp_path):
    """The bundled model's decoder config with a second pass."""
    config = read_decoder_config(find_model() / "decoder.yaml")
    weights = SecondPassWeights(head=0.5, recurrent=0.2, lm=0.1, word_bonus=0.5)
    second = SecondPassConfig(
        readings=20, recombination=50.0, recurrent=str(recurrent), weights=weights
    )
    path = tmp_path / "decoder.yaml"
    write_decoder_config(path, config.model_copy(update={"second_pass": second}))
    return path


def test_likelihoods_are_sums_over_all_alignments():
    tokenizer = CharacterTokenizer("AB")
    scores = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
    log_probs = scores.log_softmax(1).numpy()
    sums = {}
    for path in itertools.product(range(3), repeat=4):
        text = tokenizer.decode(unit for unit, _ in itertools.groupby(path) if unit)
        probability = math.exp(sum(log_probs[t, unit] for t, unit in enumerate(path)))
        sums[text] = sums.get(text, 0.0) + probability
    texts = ["AB", "", "AA", "BAB", "ABABA", "C"]
    found = likelihoods(texts, log_probs, tokenizer)
    assert found[:4] == pytest.approx([math.log(sums[text]) for text in texts[:4]], abs=1e-5)
    assert list(found[4:]) == [-1e4, -1e4]  # too long for the frames; without a unit


def test_the_score_is_a_weighted_sum():
    nbest = [Hypothesis("A B", -1.0, (), (), lm_score=-7.0), Hypothesis("AB", -2.0, (), ())]
    terms = np.array([[-6.0, -5.0, -7.0, 2.0], [-2.0, -1.0, 0.0, 1.0]])
    weights = SecondPassWeights(head=0.5, recurrent=0.25, lm=-0.1, word_bonus=0.2)
    best, other = reorder(nbest, terms, weights)
    assert (best.text, other.text) == ("AB", "A B")
    assert other.score == pytest.approx(-1.0 - 3.0 - 1.25 + 0.7 + 0.4)
    assert best.score == pytest.approx(-2.0 - 1.0 - 0.25 + 0.2)


@pytest.mark.parametrize("seed", range(5))
def test_weights_are_found_that_make_fewer_errors(seed):
    random = np.random.default_rng(seed)
    utterances, hypotheses = 200, 8
    errors = random.integers(0, 6, (utterances, hypotheses))
    noise = random.normal(size=(3, utterances, hypotheses))
    terms = np.zeros((utterances, hypotheses, 4))
    terms[..., 0] = -errors + noise[0]  # informative
    terms[..., 1] = noise[1]  # not informative
    candidates = Candidates(noise[2], terms, errors, 1000)
    weights = tune_rescoring_weights(candidates)
    chosen = np.array([weights.head, weights.recurrent, weights.lm, weights.word_bonus])
    assert (
        candidates.oracle_errors()
        < candidates.count_errors(chosen)
        < 0.6 * candidates.count_errors(np.zeros(4))
    )
    assert weights.head > 3 * weights.recurrent
    assert (weights.lm, weights.word_bonus) == (0.0, 0.0)  # the terms are all 0


def test_utterances_may_have_few_readings():
    def hypotheses(*texts):
        return [Hypothesis(text, -float(i), (), ()) for i, text in enumerate(texts)]

    found = [(hypotheses("A C", "A B"), np.zeros((2, 4))), (hypotheses("D"), np.ones((1, 4)))]
    candidates = Candidates.of(iter(found), ["A B", "D E"])
    assert candidates.errors.tolist() == [[1, 0], [1, 0]]
    assert candidates.count_errors(np.zeros(4)) == 2
    assert candidates.oracle_errors() == 1  # the padding is no hypothesis
    assert candidates.words == 4


def test_a_config_asks_for_a_second_pass(rescoring, librivox):
    path = librivox[0].audio_filepath
    transcriber = asr.load(config=rescoring)
    assert transcriber.decoder_name == "two passes"
    assert asr.load(config=rescoring, rescore=False).decoder_name == "beam + LM"
    assert asr.load(config=rescoring, lm="none").decoder_name == "beam"
    # Its weights are of the language model that they were tuned with.
    other = find_model() / "words.lm"
    assert asr.load(config=rescoring, lm=other).decoder_name == "beam + LM"
    (segment,) = transcriber.transcribe(path).segments
    assert segment.readings == ()
    (several,) = asr.load(config=rescoring, nbest=5).transcribe(path).segments
    assert len(several.readings) == 5
    assert several.readings[0].text == segment.text
    scores = [reading.score for reading in several.readings]
    assert scores == sorted(scores, reverse=True)
    # They are those of the search, in another order.
    (searched,) = asr.load(config=rescoring, rescore=False, nbest=20).transcribe(path).segments
    assert {reading.text for reading in several.readings} <= {r.text for r in searched.readings}
    assert [word.text for word in segment.words] == segment.text.split()


def test_the_other_head_can_overrule_the_search(rescoring, librivox):
    """With all the weight on the characters, the reading that they find likeliest is chosen."""
    config = read_decoder_config(rescoring)
    weights = SecondPassWeights(head=1e6)
    second = SecondPassConfig(readings=20, weights=weights)
    write_decoder_config(rescoring, config.model_copy(update={"second_pass": second}))
    recogniser = asr.load(config=rescoring, nbest=20).recogniser
    signals = [load_audio(clip.audio_filepath) for clip in librivox]
    output = recogniser.engine.emit(signals)
    for index, readings in enumerate(recogniser.recognise(signals)):
        texts = [reading.text for reading in readings]
        rows = output.log_probs[index, : output.lengths[index]]
        scores = likelihoods(texts, rows, open_model().tokenizer)
        assert len(texts) > 1
        assert scores[0] == scores.max()


def test_a_second_pass_is_tuned(recurrent, librivox, tmp_path, capsys):
    manifest, output = tmp_path / "clips.jsonl", tmp_path / "tuned.yaml"
    write_manifest(manifest, librivox[:3])
    bundled = find_model()
    command = ["tune", "english", str(manifest), "--lm", str(bundled / "words.lm")]
    command += ["--lexicon", str(bundled / "words.lexicon"), "--head", "intermediate"]
    command += ["--readings", "10", "--recurrent", str(recurrent), "-o", str(output)]
    assert main(command) == 0
    assert "second pass: head" in capsys.readouterr().err
    second = read_decoder_config(output).second_pass
    assert second.readings == 10
    assert second.recurrent == str(recurrent)
    assert second.weights.head == 0.0  # not asked: the recurrent model is
    report = tmp_path / "scores.json"
    evaluate = ["evaluate", str(manifest), "--config", str(output), "--json", str(report)]
    assert main(evaluate) == 0
    rescored = json.loads(report.read_text())["sets"][0]["wer"]
    # Without corrections the same lists have at least as many errors.
    config = read_decoder_config(output)
    weightless = second.model_copy(update={"weights": SecondPassWeights()})
    write_decoder_config(output, config.model_copy(update={"second_pass": weightless}))
    assert main(evaluate) == 0
    assert rescored <= json.loads(report.read_text())["sets"][0]["wer"]


def test_readings_for_a_second_pass_are_recombined():
    second = SecondPassConfig(readings=20, recombination=3.0)
    searched = second.first_pass_options(BeamOptions(nbest=5, lm_weight=0.7))
    assert (searched.nbest, searched.recombination, searched.lm_weight) == (20, 3.0, 0.7)
    assert second.first_pass_options(BeamOptions(nbest=30)).nbest == 30
    # What a user asks for without one is not, unless it is the best reading alone.
    assert BeamOptions(nbest=5).least_recombined == math.inf
    assert BeamOptions().least_recombined == 1.0


def test_what_is_missing_is_named(rescoring, tmp_path):
    config = read_decoder_config(rescoring)
    second = replace_second(config, recurrent=str(tmp_path / "nothing.lstm"))
    write_decoder_config(rescoring, second)
    with pytest.raises(AsrError, match=r"nothing.lstm does not exist"):
        asr.load(config=rescoring)
    rescoring.write_text("second_pass: {readings: 1}\n")
    with pytest.raises(AsrError, match=r"wrong value for second_pass.readings: 1"):
        asr.load(config=rescoring)


def test_without_models_nothing_changes():
    nbest = [Hypothesis(text, -float(i), (), ()) for i, text in enumerate("ABC")]
    kept = SecondPass(SecondPassWeights(), None, nbest=2).rescore(nbest, None)
    assert kept == nbest[:2]


def replace_second(config: DecoderConfig, **changed):
    return config.model_copy(update={"second_pass": config.second_pass.model_copy(update=changed)})
