"""The speller: synthesised encoder outputs hold the right units; training is exact and leaves the
encoder as it is."""

import json
import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from waiting import wait_until

import asr
from asr.acoustic.checkpoint import Checkpoint, load_model, save_model
from asr.acoustic.folder import find_model
from asr.acoustic.network import AcousticModel
from asr.audio.read import load_audio
from asr.cli.main import main
from asr.config.loading import load_recipe
from asr.config.schema import (
    EncoderConfig,
    FrontEndConfig,
    ModelConfig,
    SpellerConfig,
    SpellerRecipe,
)
from asr.corpora.manifest import write_manifest
from asr.errors import AsrError
from asr.inference.torch_engine import TorchEngine
from asr.runtime.interrupt import Interrupted
from asr.scoring.error_rates import score
from asr.tokenizers.tokenizer import CharacterTokenizer, PhoneTokenizer, UnrepresentableText
from asr.training.dataset import load_training_set
from asr.training.speller.encoded_recordings import encode_recordings
from asr.training.speller.examples import ExampleSource
from asr.training.speller.network import with_speller
from asr.training.speller.segment_inventory import SegmentInventory
from asr.training.speller.text_source import PronunciationSampler, Sentences
from asr.training.speller.train import train_speller

SHAPE = SpellerConfig(inputs=8, hidden=12, code=10)
RECIPE = """
name: tiny
output: {folder}/run
data:
  {{manifests: {folder}, cache: {folder}/cache, train: [clips], dev: [clips], dev_utterances: 2}}
augment: {{frequency_width: 10, time_width: 10}}
speller:
  shape: {{inputs: 16, hidden: 24, code: 12}}
  units: 60
  versions: 1
  steps: 12
  batch_seconds: 60
  checkpoint_every: 3
"""


def inventory_of(*utterances):
    """An inventory of utterances, given as paths, two labels a frame; rows are their numbers."""
    paths = [np.array(path) for path in utterances]
    frames = [len(path) // 2 for path in paths]
    rows = np.arange(sum(frames), dtype=np.float16)[:, None]
    return SegmentInventory.build(rows, list(zip(frames, paths, strict=True)))


def units_of(paths, rows):
    """The units that begin in these rows."""
    begin = []
    for path in paths:
        before = [0, *path[:-1]]
        fresh = [u if u != v else 0 for u, v in zip(path, before, strict=True)]
        begin += [[u for u in fresh[i : i + 2] if u] for i in range(0, len(fresh), 2)]
    return [unit for row in rows[:, 0].astype(int).tolist() for unit in begin[row]]


def test_synthesised_outputs_hold_the_units_of_the_text():
    random = np.random.default_rng(5)
    paths = []
    for _ in range(50):  # each unit in a frame of its own, and blanks between
        units = random.integers(1, 7, 12)
        path = np.zeros((40, 2), int)
        path[1 + np.sort(random.choice(38, 12, replace=False)), random.integers(2, size=12)] = units
        paths.append(path.ravel().tolist())
    inventory = inventory_of(*paths)
    for seed in range(50):
        wanted = random.integers(1, 7, random.integers(1, 30)).tolist()
        rows = inventory.synthesise(wanted, 8, seed)
        assert units_of(paths, rows) == wanted
        assert np.array_equal(inventory.synthesise(wanted, 8, seed), rows)
    different = {inventory.synthesise([1, 2, 3, 4, 5, 6], 8, seed).tobytes() for seed in range(20)}
    assert len(different) > 10


def test_the_units_of_an_utterance_select_its_own_frames():
    path = [0, 3, 0, 0, 1, 1, 0, 2, 0, 0]
    inventory = inventory_of(path)
    assert inventory.synthesise([3, 1, 2], 9, seed=1).ravel().tolist() == [0, 1, 2, 3, 4]
    # Units that share a frame are not taken apart, if what is wanted has both.
    together = inventory_of([0, 0, 3, 1, 0, 2, 0, 0], [0, 2, 0, 0])
    for seed in range(20):
        assert 1.0 in together.synthesise([3, 1, 2], 9, seed).ravel()


def test_units_of_no_recording_are_left_out():
    inventory = inventory_of([0, 3, 0, 0, 1, 1, 0, 2, 0, 0])
    assert units_of([[0, 3, 0, 0, 1, 1, 0, 2, 0, 0]], inventory.synthesise([3, 9, 2], 4, 1)) == [
        3,
        2,
    ]


def test_pronunciations_are_sampled(tmp_path):
    random = np.random.default_rng(1)
    tokenizer = PhoneTokenizer()
    sampler = PronunciationSampler(tokenizer)
    drawn = {tokenizer.decode(sampler.sample("READ THE", random)) for _ in range(50)}
    assert {"R EH D | DH AH", "R IY D | DH AH", "R IY D | DH IY"} <= drawn
    with pytest.raises(UnrepresentableText):
        sampler.sample("READ '", random)
    path = tmp_path / "text.txt"
    path.write_text("\nONE TWO THREE\n\n" + "LONG " * 49 + "LONG\n")
    sentences = Sentences([path])
    assert len(sentences) == 2
    drawn = {sentences.sample(random) for _ in range(100)}
    assert "ONE TWO THREE" in drawn
    assert max(len(text.split()) for text in drawn) <= 36
    assert sentences.spread(9) == ["ONE TWO THREE", ("LONG " * 50).strip()]


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_bottleneck_is_the_nearest_of_its_rank(cell):
    torch.manual_seed(2)
    config = ModelConfig(
        front_end=FrontEndConfig(channels=(4, 4)),
        encoder=EncoderConfig(cell=cell, layers=3, hidden=12),
        intermediate_layer=3,
    )
    model = AcousticModel(config, 29, 41).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    features = torch.randn(2, 50, 80), torch.tensor([50, 31])
    off = []
    for width in (23, 8):
        narrow = with_speller(model, 70, 41, SHAPE, width).eval()
        assert narrow.config.encoder.bottleneck == width
        for layer in (1, 2):
            names = [f"encoder.layers.{layer}.{d}.layer.weight_ih_l0" for d in DIRECTIONS]
            whole = torch.cat([model.state_dict()[name] for name in names])
            after = torch.cat([narrow.state_dict()[name] for name in names])
            product = after @ narrow.encoder.bottlenecks[layer - 1].weight.detach()
            lost = torch.linalg.svdvals(whole)[width:].square().sum().sqrt()
            assert float((whole - product).norm()) == pytest.approx(float(lost), rel=1e-3)
        with torch.no_grad():
            difference = narrow(*features).intermediate - model(*features).intermediate
        off.append(float(difference[0].abs().mean()))
    assert off[0] < off[1] / 2
    same = with_speller(model, 70, 41, SHAPE)
    with torch.no_grad():
        assert torch.equal(same.eval()(*features).intermediate, model(*features).intermediate)


DIRECTIONS = ("forwards", "backwards")


def test_a_bottleneck_without_effect_is_refused():
    model = AcousticModel(ModelConfig(encoder=EncoderConfig(layers=2, hidden=8)), 29)
    with pytest.raises(AsrError, match=r"speller\.bottleneck=16 narrows nothing"):
        with_speller(model, 70, 41, SHAPE, 16)
    coupled = EncoderConfig(cell="cifg", layers=2, hidden=8)
    with pytest.raises(AsrError, match="LSTM, GRU and plain RNN"):
        with_speller(AcousticModel(ModelConfig(encoder=coupled), 29), 70, 41, SHAPE, 4)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory, librivox):
    folder = tmp_path_factory.mktemp("speller")
    write_manifest(folder / "clips.jsonl", librivox)
    (folder / "text.txt").write_text("\n".join(clip.text for clip in librivox) + "\n")
    (folder / "tiny.yaml").write_text(RECIPE.format(folder=folder))
    return folder / "tiny.yaml"


@pytest.fixture(scope="module")
def source():
    return find_model()


@pytest.fixture(scope="module")
def trained(recipe, source):
    output = recipe.parent / "undisturbed" / "model"
    text = str(recipe.parent / "text.txt")
    command = ["speller", str(recipe), "--model", str(source), "--text", text, "-o", str(output)]
    assert main(command) == 0
    assert main(command) == 1  # it would be overwritten
    return output


def test_a_recording_is_encoded_as_by_the_whole_model(recipe, librivox, tmp_path):
    checkpoint = load_model()
    model, tokenizers = checkpoint.model, (checkpoint.tokenizer, checkpoint.intermediate_tokenizer)
    settings = load_recipe(recipe, ["augment.speeds=[1.0]", "augment.frequency_masks=0"])
    augment = settings.augment.model_copy(update={"time_masks_per_second": 0.0})
    training, problems = load_training_set(
        settings.data, augment, tokenizers, 80, model.output_length
    )
    assert not problems
    model.encoder.dropout.probability = 0.0
    expected = TorchEngine(model.eval()).emit(
        [load_audio(clip.audio_filepath) for clip in librivox]
    )
    with encode_recordings(model, training, 1, 1, tmp_path / "rows") as recordings:
        assert sorted(recordings.utterances) == list(range(5))
        for (start, end), index in zip(recordings.frames, recordings.utterances, strict=True):
            rows = torch.from_numpy(recordings.inventory.rows[start:end].astype(np.float32))[None]
            with torch.no_grad():
                found = model.intermediate_head(rows)[0].numpy()
            length = expected.lengths[index]
            assert abs(len(found) - length) < 2
            labels = expected.head("intermediate")[index, :length]
            assert (found[:length].argmax(1) == labels.argmax(1)).mean() > 0.98
        units = training.intermediate[0]
        assert len(recordings.inventory.synthesise(units, 8, 1)) > len(units) / 2

        # Words of two phones and six letters: no sentence has frames enough for its letters.
        (tmp_path / "text.txt").write_text("THOUGH THOUGH THOUGH THOUGH\n")
        config = SpellerRecipe(text=1.0)
        parts = recordings, Sentences([tmp_path / "text.txt"]), training
        examples = ExampleSource(config, *parts, CharacterTokenizer(), tokenizers[1], model)
        with pytest.raises(AsrError, match="sentences and recordings fits"):
            next(examples.batches(0, 0))
    assert not (tmp_path / "rows").exists()


def test_the_encoder_stays_and_the_model_transcribes(trained, source, librivox):
    before, after = load_model(source), load_model(trained)
    assert after.tokenizer.kind == "bpe"
    for name, weights in before.model.state_dict().items():
        if not name.startswith(("head.", "speller.")):
            assert torch.equal(after.model.state_dict()[name], weights), name
    text = asr.load(trained, decoder="greedy").transcribe(librivox[0].audio_filepath).text
    assert text == text.upper()
    card = (trained / "README.md").read_text()
    assert "asr speller" in card
    assert "after step 12" in card
    assert "on 2 utterances of clips" in card
    assert not trained.with_name("model.state").exists()
    assert not trained.with_name("model.encoded").exists()


def test_a_stopped_training_resumes_exactly(recipe, source, trained, capsys):
    output = recipe.parent / "stopped" / "model"
    state = output.with_name("model.state")
    texts = [recipe.parent / "text.txt"]

    def press():
        wait_until(state.exists)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()
    with pytest.raises(Interrupted, match="--resume"):
        train_speller(load_recipe(recipe), source, output, texts)
    with pytest.raises(AsrError, match="holds a training that was stopped"):
        train_speller(load_recipe(recipe), source, output, texts)
    changed = load_recipe(recipe, ["speller.peak_rate=1e-3"])
    with pytest.raises(AsrError, match="other settings, data or texts"):
        train_speller(changed, source, output, texts, resume=True)
    train_speller(load_recipe(recipe), source, output, texts, resume=True)
    weights = [folder / "model.safetensors" for folder in (trained, output)]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_a_speller_learns(recipe, source):
    """On the clips and their own texts, synthesised: the clips are soon transcribed."""
    output = recipe.parent / "longer" / "model"
    settings = ["speller.steps=250", "speller.average_decay=0.9", "speller.batch_seconds=30"]
    settings += ["speller.shape={inputs: 64, hidden: 64, code: 32, dropout: 0.0}"]
    train_speller(load_recipe(recipe, settings), source, output, [recipe.parent / "text.txt"])
    clips = [json.loads(line) for line in (recipe.parent / "clips.jsonl").read_text().splitlines()]
    recogniser = asr.load(output, decoder="greedy")
    texts = [clip["text"] for clip in clips]
    found = [recogniser.transcribe(Path(clip["audio_filepath"])).text for clip in clips]
    assert score(texts, found).wer < 0.5


def test_a_model_without_units_to_cut_by_is_refused(recipe, tmp_path, capsys):
    units = CharacterTokenizer()
    model = AcousticModel(ModelConfig(encoder=EncoderConfig(layers=1, hidden=8)), len(units))
    save_model(tmp_path / "plain", Checkpoint(model, units, units), "plain")
    text = str(recipe.parent / "text.txt")
    command = ["speller", str(recipe), "--model", str(tmp_path / "plain"), "--text", text]
    assert main([*command, "-o", str(tmp_path / "out")]) == 1
    assert "has no second head" in capsys.readouterr().err
