"""asr inspect as users meet it: pages, pictures, tables, and what is said of wrong input."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from webdriver import CHROMEDRIVER, CHROMIUM, Browser

from asr.acoustic.checkpoint import Checkpoint, load_model, save_model
from asr.acoustic.network import AcousticModel
from asr.audio.read import SAMPLE_RATE
from asr.cli.main import main
from asr.config.schema import EncoderConfig, ModelConfig
from asr.tokenizers.tokenizer import BLANK, CharacterTokenizer

RECIPE = Path(__file__).resolve().parents[1] / "recipes" / "mini_librispeech.yaml"

needs_browser = pytest.mark.skipif(
    not (CHROMIUM and CHROMEDRIVER), reason="chromium and chromedriver are not there"
)


def said(output, capsys):
    assert output == 0, capsys.readouterr().err
    return capsys.readouterr().out


@pytest.fixture(scope="module")
def clip(librivox):
    return librivox[1].audio_filepath


@pytest.fixture(scope="module")
def page(clip, tmp_path_factory):
    path = tmp_path_factory.mktemp("gates") / "gates.html"
    assert main(["inspect", "gates", clip, "-o", str(path)]) == 0
    return path


def data_of(page):
    text = page.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.S)[1])


def test_a_page_holds_every_layer_and_nothing_from_elsewhere(page):
    data = data_of(page)
    config = load_model().model.config
    assert len(data["layers"]) == config.encoder.layers
    for layer in data["layers"]:
        frames = len(layer["shown"][0]["state"])
        assert frames == pytest.approx(data["seconds"] / layer["frame"], abs=1)
        assert sum(layer["memory"]["counts"]) == layer["size"]
        quantiles = layer["memory"]["quantiles"]
        assert quantiles == sorted(quantiles)
        assert {"silence", "voicing"} <= {one["event"] for one in layer["follows"]}
        for unit in layer["shown"]:
            assert set(unit["gates"]) == {"forget", "input", "output"}
            assert all(0 <= value <= 1 for gate in unit["gates"].values() for value in gate)
    assert not re.search(r'(src|href)="?https?:', page.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def odd_pages(clip, tmp_path_factory):
    """Of a cell without gates, and of one with gates of its own that reads in one direction."""
    folder = tmp_path_factory.mktemp("cells")
    pages = []
    for cell, bidirectional in (("rnn", True), ("gru", False)):
        encoder = EncoderConfig(cell=cell, layers=2, hidden=12, bidirectional=bidirectional)
        config = ModelConfig(encoder=encoder)
        tokenizer = CharacterTokenizer()
        model = AcousticModel(config, len(tokenizer))
        with torch.no_grad():
            model.head.linear.bias[BLANK] = -10.0  # so that it says something
        save_model(folder / cell, Checkpoint(model, tokenizer, tokenizer), "")
        pages.append(folder / f"{cell}.html")
        arguments = ["inspect", "gates", clip, "--model", str(folder / cell)]
        assert main([*arguments, "-o", str(pages[-1])]) == 0
    return pages


def test_other_cells_show_what_they_have(odd_pages):
    rnn, gru = map(data_of, odd_pages)
    for layer in rnn["layers"]:
        assert layer["memory"] is None
        assert all(unit["gates"] == {} for unit in layer["shown"])
    for layer in gru["layers"]:
        assert layer["size"] == 12
        assert {unit["reads"] for unit in layer["shown"]} == {"→"}
        assert all(set(unit["gates"]) == {"update", "reset"} for unit in layer["shown"])


@needs_browser
def test_the_page_opens_and_shows_the_layer_that_is_chosen(page, odd_pages):
    data = data_of(page)
    with Browser() as browser:
        browser.open(page)
        browser.wait("return document.body.dataset.drawn")
        for number in (1, 3):
            browser.click(f"#layers button:nth-child({number})")
            shown = [unit["unit"] for unit in data["layers"][number - 1]["shown"]]
            labels = browser.run(
                "return [...document.querySelectorAll('.labels b')].map(b => b.textContent)"
            )
            assert [int(label.split()[1]) for label in labels] == shown
            canvases = browser.run("return document.querySelectorAll('#time canvas').length")
            assert canvases == len(shown) + 3  # log-mel, posteriors, seconds
            title = browser.run("return document.querySelector('figure h2').textContent")
            assert f"layer {number} " in title
        coloured = """
            return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => {
                const canvas = document.querySelectorAll('#time canvas')[2];
                const {width, height} = canvas;
                const {data} = canvas.getContext('2d').getImageData(0, 0, width, height);
                done(new Set(new Uint32Array(data.buffer)).size);
            })))"""
        assert browser.run(coloured) > 50
        browser.dark()
        for other in odd_pages:
            browser.open(other)
            browser.wait("return document.body.dataset.drawn")
        assert browser.complaints() == []


def test_units_of_a_layer_are_drawn_as_asked(clip, tmp_path, capsys):
    page = tmp_path / "g.html"
    arguments = ["inspect", "gates", clip, "--layer", "2", "--units", "3,500", "-o", str(page)]
    table = said(main(arguments), capsys)
    assert str(page) in table
    layers = data_of(page)["layers"]
    shown = {layer["number"]: [unit["unit"] for unit in layer["shown"]] for layer in layers}
    assert shown.pop(2) == [3, 500]
    assert not any(shown.values())
    assert [unit["reads"] for unit in layers[1]["shown"]] == ["→", "←"]


def test_pictures_are_drawn(clip, librivox, tmp_path, capsys):
    image = pytest.importorskip("matplotlib.image")
    gates = tmp_path / "gates.png"
    said(main(["inspect", "gates", clip, "--layer", "1", "--units", "1", "-o", str(gates)]), capsys)
    assert image.imread(gates).std() > 0.1
    reach = tmp_path / "reach.svg"
    data = str(librivox[0].audio_filepath)
    said(main(["inspect", "gradients", data, "--cells", "rnn", "-o", str(reach)]), capsys)
    assert "<svg" in reach.read_text()
    assert len((tmp_path / "reach.csv").read_text().splitlines()) == 302


def test_a_bad_recording_is_named_and_the_others_are_measured(librivox, tmp_path, capsys):
    bad = tmp_path / "bad.wav"
    bad.write_text("no audio")
    output = tmp_path / "c.csv"
    good = librivox[0].audio_filepath
    arguments = ["inspect", "gradients", str(bad), good, "--cells", "gru", "-o", str(output)]
    assert main(arguments) == 1
    captured = capsys.readouterr()
    assert f"asr: {bad} is not audio" in captured.err
    assert "gru" in captured.out
    assert output.exists()


def test_costs_are_a_table_and_json(tmp_path, capsys):
    figures = tmp_path / "cost.json"
    arguments = ["inspect", "cost", str(RECIPE), "--json", str(figures), "model.encoder.cell=gru"]
    table = said(main(arguments), capsys)
    record = json.loads(figures.read_text())
    assert [one["name"] for one in record["layers"] if "gru" in one["name"]] == [
        f"gru {number}" for number in (1, 2, 3, 4)
    ]
    assert f"{record['total']['parameters']:,}" in table
    assert record["total"]["macs"] == sum(one["macs"] for one in record["layers"])


@pytest.fixture(scope="module")
def odd(tmp_path_factory, clip):
    """Recordings without speech, and one that is too long."""
    folder = tmp_path_factory.mktemp("odd")
    noise = np.random.default_rng(1).standard_normal(3 * SAMPLE_RATE) / 30
    soundfile.write(folder / "silence.wav", np.zeros(3 * SAMPLE_RATE), SAMPLE_RATE)
    soundfile.write(folder / "noise.wav", noise, SAMPLE_RATE)
    speech, _ = soundfile.read(clip)
    soundfile.write(folder / "long.wav", np.tile(speech, 14), SAMPLE_RATE)
    soundfile.write(folder / "short.wav", speech, SAMPLE_RATE)
    return folder


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gates", "missing.wav"], "missing.wav does not exist"),
        (["gates", "silence.wav"], "silence.wav holds no speech"),
        (["gates", "noise.wav"], "the model finds no speech in noise.wav"),
        (["gates", "long.wav"], "long.wav lasts 42 s; a picture shows at most 36 s"),
        (["gates", "short.wav", "--layer", "50"], "no layer 50: the model has layers 1 to"),
        (["gates", "short.wav", "--layer", "0"], "no layer 0: the model has layers 1 to"),
        (["gates", "short.wav", "--units", "3"], "say which by --layer"),
        (["gates", "short.wav", "--layer=1", "--units=0"], "there is no unit 0: a layer has"),
        (["gates", "short.wav", "--layer=1", "--units=3,9999"], "there is no unit 9999: a"),
        (["gates", "short.wav", "--model", "nowhere"], "there is no model nowhere"),
        (["gradients", "short.wav", "--cells", "rnn,lstn"], "there is no cell 'lstn'; choose from"),
        (["gradients", "short.wav", "-o", "x.csv"], "lasts the 5 s that are looked at"),
        (["gradients", "missing.jsonl"], "missing.jsonl does not exist"),
        (["gradients", "short.wav", "--cells", ","], "there is nothing to measure"),
        (["cost", "nowhere"], "there is no model nowhere"),
        (
            ["cost", str(RECIPE), "model.intermediate_layer=9"],
            "a wrong value for model.intermediate_layer: 9 (value error, encoder.layers is 4)",
        ),
        (["cost", "missing.yaml"], "missing.yaml does not exist"),
        (["cost", "english", "a=1"], "a=1 is for a recipe, but english is a"),
    ],
)
def test_wrong_input_is_one_sentence(arguments, message, odd, capsys, monkeypatch):
    monkeypatch.chdir(odd)
    before = sorted(odd.iterdir())
    assert main(["inspect", *arguments]) == 1
    errors = capsys.readouterr().err
    assert errors.splitlines()[-1].startswith("asr: ")
    assert message in errors
    assert sorted(odd.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gates", "x.wav", "-o", "x.txt"], "'x.txt' must end in .html"),
        (["gates", "x.wav", "--units", "a"], "'a' are no numbers such as 3,17"),
        (["gradients", "x.wav", "--gain", "-1"], "'-1' is no number above zero"),
    ],
)
def test_options_that_cannot_be_are_refused(arguments, message, capsys):
    with pytest.raises(SystemExit):
        main(["inspect", *arguments])
    assert message in capsys.readouterr().err


def test_without_matplotlib_a_picture_is_refused_before_the_work(clip, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(["inspect", "gates", clip, "-o", "x.png"]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("asr: pictures need matplotlib, which is not installed")
    assert captured.out == ""
