"""The HTML report, read as text and in a real browser."""

import base64
import io
import json
import re
import zlib
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
from webdriver import CHROMEDRIVER, CHROMIUM, Browser

import asr
from asr.audio.read import load_audio
from asr.evaluation.evaluate import DataSet, describe_run, evaluate
from asr.evaluation.report import pictures
from asr.evaluation.report.write import write_report
from asr.features.log_mel import log_mel
from asr.scoring.figures import summarise
from asr.scoring.results import pool

needs_browser = pytest.mark.skipif(
    not (CHROMIUM and CHROMEDRIVER), reason="chromium and chromedriver are not there"
)


@pytest.fixture(scope="module")
def transcriber():
    return asr.load(device="cpu")


@pytest.fixture(scope="module")
def evaluation(transcriber, librivox):
    clips = [replace(clip, speaker=clip.speaker or "reader") for clip in librivox]
    clips[1] = replace(clips[1], speaker="</script><b>")
    return evaluate(transcriber, DataSet("clips", clips))


def write(path, transcriber, evaluations, **options):
    records = [
        summarise(e, describe_run(transcriber), details=True)
        for e in [*evaluations, pool(evaluations)][: 1 if len(evaluations) == 1 else None]
    ]
    write_report(path, evaluations, records, transcriber.recogniser, "bundled", **options)
    return path


@pytest.fixture(scope="module")
def page(tmp_path_factory, transcriber, evaluation):
    """Two sets, the second with the worst clip alone."""
    folder = tmp_path_factory.mktemp("report")
    return write(folder / "report.html", transcriber, [evaluation, replace(evaluation, name="b")])


def parts(path):
    """The data of a page, and its blobs by name."""
    text = path.read_text(encoding="utf-8")
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    blobs = dict(re.findall(r'<script type="text/plain" id="([\w-]+)">(.*?)</script>', text))
    return json.loads(data), blobs


def test_a_picture_holds_what_the_model_heard_and_said(transcriber, librivox):
    signal = load_audio(librivox[0].audio_filepath)
    log_probs, lengths = transcriber.recogniser.log_probs([signal])
    frames = int(lengths[0])
    probabilities = np.exp(log_probs[0, :frames])
    data = zlib.decompress(base64.b64decode(pictures.encode(signal, log_probs[0, :frames])))
    mel_frames, bins, count, entries = np.frombuffer(data, "<u4", 4)
    assert (mel_frames, count) == ((1 + len(signal) // 160) // 2, frames)
    rest = io.BytesIO(data[16:])
    packed = np.frombuffer(rest.read(int(mel_frames * bins + 1) // 2), np.uint8)
    levels = np.stack([packed & 15, packed >> 4], 1).ravel()[: mel_frames * bins]
    mel = log_mel(torch.from_numpy(signal)).numpy()[: 2 * mel_frames]
    small = mel.reshape(mel_frames, 2, bins, 2).mean(axis=(1, 3)).ravel()
    assert np.corrcoef(levels, small)[0, 1] > 0.95
    units = np.frombuffer(rest.read(2 * int(entries)), "<u2")
    values = np.frombuffer(rest.read(int(entries)), np.uint8) / 255
    counts = np.frombuffer(rest.read(int(frames)), np.uint8)
    blanks = np.frombuffer(rest.read(), np.uint8) / 255
    assert blanks == pytest.approx(probabilities[:, 0], abs=1 / 255)
    rebuilt = np.zeros_like(probabilities)
    rebuilt[np.repeat(np.arange(frames), counts), units] = values
    assert rebuilt[:, 1:] == pytest.approx(probabilities[:, 1:], abs=0.021)


def test_the_page_needs_nothing_else(page, evaluation):
    text = page.read_text(encoding="utf-8")
    assert not re.search(r'\b(?:src|href)="(?!#)|@import|url\(|https?://(?!www\.w3\.org)', text)
    data, blobs = parts(page)
    assert [record["name"] for record in data["sets"]] == ["clips", "b", "clips+b"]
    assert len(data["utterances"]) == 2 * len(evaluation.references)
    assert set(blobs) == {f"picture-{index}" for index in range(len(data["utterances"]))}
    for shown, link in zip(data["utterances"], data["audio"], strict=True):
        assert len(shown["words"]) == len(shown["hypothesis"].split())
        assert (page.parent / link).is_file()
    assert "</script><b>" not in text


def test_recordings_can_be_inside_and_pictures_few(tmp_path, transcriber, evaluation):
    page = write(tmp_path / "r.html", transcriber, [evaluation], most=2, with_audio=True)
    data, blobs = parts(page)
    assert {name for name in blobs if name.startswith("picture")} == {"picture-0", "picture-1"}
    for index, shown in enumerate(data["utterances"]):
        kind, _, encoded = blobs[f"audio-{index}"].partition(";base64,")
        assert kind == "data:audio/ogg"
        signal, rate = soundfile.read(io.BytesIO(base64.b64decode(encoded)))
        assert len(signal) / rate == pytest.approx(shown["seconds"], abs=0.05)


@pytest.fixture(scope="module")
def browser(page):
    with Browser() as browser:
        browser.open(page)
        browser.wait("return document.querySelectorAll('.utterance').length")
        yield browser


def texts(browser, selector):
    script = "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)"
    return browser.run(script, selector)


def column(browser, number):
    return texts(browser, f".utterance > :nth-child({number + 1})")


@needs_browser
def test_the_browser_shows_totals_and_charts(browser, evaluation):
    shown = browser.run("return document.querySelector('.big').textContent")
    assert shown == f"{100 * evaluation.score.wer:.2f} %"
    titles = texts(browser, "figure h2")
    assert {"WER by speaker", "WER by length", "WER by speaking rate"} <= set(titles)
    wide = browser.run("return document.documentElement.scrollWidth <= innerWidth")
    assert wide
    assert browser.complaints() == []


@needs_browser
def test_the_table_is_worst_first_sorts_and_filters(browser, evaluation):
    names = [u.utterance_id for u in evaluation.references]
    headings = texts(browser, "#columns th")
    rates = headings.index("WER %")
    values = [float(text.replace("∞", "inf")) for text in column(browser, rates)]
    assert values == sorted(values, reverse=True)
    browser.click('[data-key="id"] button')
    assert column(browser, 1) == sorted(names)
    browser.click('[data-key="id"] button')
    assert column(browser, 1) == sorted(names, reverse=True)
    browser.type("#search", names[2])
    assert column(browser, 1) == [names[2]]
    assert browser.run("return document.getElementById('count').textContent").startswith("1 of 5")
    browser.run(
        "const search = document.getElementById('search'); search.value = '';"
        "search.dispatchEvent(new Event('input'))"
    )
    browser.click("#confusions button")
    assert 0 < len(column(browser, 1)) <= 5
    assert browser.run("return document.querySelectorAll('.chip').length") == 1
    browser.click(".chip")
    browser.click("#sets button:nth-child(3)")
    assert len(column(browser, 1)) == 10
    browser.click("#sets button:nth-child(1)")
    assert len(column(browser, 1)) == 5
    assert browser.complaints() == []


@needs_browser
def test_a_row_opens_alignment_sound_and_pictures(browser, evaluation):
    index = 3
    name = evaluation.references[index].utterance_id
    browser.click(f'[data-id="{name}"] .opener button')
    browser.wait("return document.querySelectorAll('.detail canvas').length == 3")
    alignment = evaluation.score.alignments[index]
    said = texts(browser, ".pair .said")
    assert [word for word in said if word.strip()] == alignment.reference
    words = browser.run(
        "return [...document.querySelectorAll('.word')].map(w => [w.textContent, w.offsetLeft])"
    )
    assert [word for word, _ in words] == alignment.hypothesis
    assert [x for _, x in words] == sorted(x for _, x in words)
    # Paint can wait for the next frame; then many colours are in the log-mel picture.
    colours = browser.wait(
        "const c = document.querySelector('.detail canvas');"
        "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        "const seen = new Set(); for (let i = 0; i < d.length; i += 4) seen.add(d[i]);"
        "return seen.size > 50 && seen.size"
    )
    assert colours > 50
    seconds = browser.wait("return document.querySelector('.detail audio').duration")
    assert seconds == pytest.approx(evaluation.references[index].duration, abs=0.05)
    browser.click(f'[data-id="{name}"] .opener button')
    assert browser.run("return document.querySelectorAll('.detail').length") == 0
    assert browser.complaints() == []


@needs_browser
def test_thousands_of_utterances_are_built_only_as_far_as_they_are_looked_at(
    tmp_path, transcriber, evaluation
):
    many = pool([evaluation] * 540)
    path = write(tmp_path / "many.html", transcriber, [replace(many, name="many")], most=5)
    with Browser() as browser:
        browser.open(path)
        browser.wait("return document.querySelectorAll('.utterance').length")
        assert browser.run("return document.querySelectorAll('.utterance').length") < 300
        browser.click('[data-key="errors"] button')
        assert browser.run("return document.querySelectorAll('.utterance').length") < 300
        browser.run("scrollTo(0, document.body.scrollHeight)")
        browser.wait("return document.querySelectorAll('.utterance').length > 100")
        assert browser.run("return document.getElementById('count').textContent").startswith(
            "2,700 of 2,700"
        )


@needs_browser
def test_dark_pages_are_dark(browser):
    script = "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    assert min(browser.run(script)) > 200
    browser.dark()
    assert max(browser.run(script)) < 50
