"""Forced alignment: the search against torchaudio's, times of real speech, files read back."""

import json
from dataclasses import replace
from itertools import pairwise
from statistics import median

import numpy as np
import pytest
import soundfile
import textgrid
import torch
from torchaudio.functional import forced_align

from asr import AsrError
from asr.alignment import load_aligner
from asr.alignment.excerpts import cut_excerpts
from asr.alignment.log_prob_rows import Rows
from asr.alignment.result import time_words
from asr.alignment.text_units import Spelling, spell
from asr.alignment.viterbi import Spans, best_path
from asr.alignment.writers import WRITERS
from asr.audio.read import SAMPLE_RATE, load_audio
from asr.cli import main as cli
from asr.corpora.manifest import write_manifest
from asr.tokenizers.tokenizer import BpeTokenizer, CharacterTokenizer, PhoneTokenizer


@pytest.fixture(scope="module")
def aligner():
    return load_aligner(device="cpu")


@pytest.fixture(scope="module")
def aligned(aligner, librivox):
    """The clips with their texts, each by itself."""
    return [aligner.align(clip.audio_filepath, clip.text) for clip in librivox]


def rows_of(log_probs):
    rows = Rows(log_probs.shape[1])
    for part in np.array_split(log_probs, 3):
        rows.append(part)
    return rows


def random_problem(generator, frames, units, kinds=5):
    logits = torch.tensor(generator.normal(size=(frames, kinds)) * 3, dtype=torch.float32)
    return torch.log_softmax(logits, -1), generator.integers(1, kinds, size=units)


def spikes(generator, units, frames, kinds=29):
    """Log-probabilities that leave no doubt where each of ``units`` is."""
    where = np.sort(generator.choice(frames // 2, size=len(units), replace=False)) * 2
    log_probs = np.full((frames, kinds), -9.0, np.float32)
    log_probs[:, 0] = -0.01
    log_probs[where, 0] = -9.0
    log_probs[where, units] = -0.01
    return log_probs, where


@pytest.mark.parametrize("block", [5, 16, 4096])
def test_the_path_is_the_one_that_torchaudio_finds(block):
    generator = np.random.default_rng(7)
    for _ in range(40):
        frames = int(generator.integers(8, 70))
        log_probs, units = random_problem(
            generator, frames, int(generator.integers(1, frames // 2))
        )
        path, scores = forced_align(log_probs[None], torch.tensor(units[None]), blank=0)
        spans = best_path(rows_of(log_probs.numpy()), units, block=block)
        found = np.zeros(frames, int)
        for unit, start, end in zip(units, spans.start, spans.end, strict=True):
            found[start:end] = unit
        assert found.tolist() == path[0].tolist()
        assert spans.score == pytest.approx(float(scores.sum()), abs=1e-3)
        means = [
            float(log_probs[start:end, unit].mean())
            for unit, start, end in zip(units, spans.start, spans.end, strict=True)
        ]
        assert spans.log_prob == pytest.approx(means, abs=1e-4)


def test_a_window_follows_the_speech_and_grows_where_it_must():
    generator = np.random.default_rng(8)
    units = generator.integers(1, 29, size=900)
    log_probs, where = spikes(generator, units, frames=2500)
    spans = best_path(rows_of(log_probs), units, window=64, block=32)
    assert spans.start.tolist() == where.tolist()
    # Two thirds of the text are not said: a narrow window stays with what is, short of the end.
    log_probs[where[300] :] = log_probs[1]  # odd frames are blank
    narrow = best_path(rows_of(log_probs), units, window=64, block=32)
    whole = best_path(rows_of(log_probs), units)
    assert narrow.score == pytest.approx(whole.score, abs=0.1)
    assert narrow.start[:250].tolist() == where[:250].tolist()


def test_what_can_not_be_aligned_is_said():
    generator = np.random.default_rng(9)
    log_probs, _ = random_problem(generator, 10, 1)
    rows = rows_of(log_probs.numpy())
    assert len(best_path(rows, [1] * 5).start) == 5  # nine frames, with the blanks between them
    with pytest.raises(AsrError, match="its 6 units need 11 frames, and there are 10"):
        best_path(rows, [1] * 6)
    with pytest.raises(AsrError, match="not numbers"):
        best_path(rows_of(np.full((10, 5), np.nan, np.float32)), [1, 2])


def test_rows_are_read_from_disk_as_from_memory(monkeypatch):
    values = np.random.default_rng(1).normal(size=(700, 11)).astype(np.float32)
    for limit in (1 << 20, 1000):
        monkeypatch.setattr("asr.alignment.log_prob_rows._IN_MEMORY", limit)
        rows = rows_of(values)
        assert len(rows) == 700
        np.testing.assert_array_equal(rows.read(123, 456), values[123:456])
        np.testing.assert_array_equal(rows.read(650, 900), values[650:])


@pytest.mark.parametrize("seconds", [0.001, 5.0, 32.0, 32.1, 56.32, 100.0])
def test_excerpts_believe_every_frame_once(seconds):
    signal = np.arange(round(seconds * SAMPLE_RATE), dtype=np.float32)
    for size in (len(signal), 50_000):
        parts = list(cut_excerpts(np.split(signal, range(size, len(signal), size))))
        assert [part.last for part in parts] == [False] * (len(parts) - 1) + [True]
        assert (len(parts) == 1) == (seconds <= 32.0)
        kept = [part.samples[part.first :][: part.kept] for part in parts]
        np.testing.assert_array_equal(np.concatenate(kept), signal)
        assert max(len(part.samples) for part in parts) <= 32 * SAMPLE_RATE
        for frame in (0.01, 0.04, 0.08):
            grid = [np.rint(part.samples[:: round(frame * SAMPLE_RATE)]) for part in parts]
            frames = [times[part.frames(frame)] for times, part in zip(grid, parts, strict=True)]
            expected = signal[:: round(frame * SAMPLE_RATE)]
            np.testing.assert_array_equal(np.concatenate(frames), expected)


def test_words_are_spelled_with_any_units(librivox):
    texts = [clip.text for clip in librivox]
    for tokenizer in (CharacterTokenizer(), BpeTokenizer.train(texts, 40), PhoneTokenizer()):
        spelling = spell(texts[0].lower() + ".", tokenizer)
        assert list(spelling.words) == texts[0].split()
        assert list(spelling.units) == tokenizer.encode(texts[0])
        for word, (first, behind) in zip(spelling.words, spelling.spans, strict=True):
            assert list(spelling.units[first:behind]) == tokenizer.encode(word)


def test_words_that_can_not_be_spelled_are_named():
    with pytest.raises(AsrError, match=r"can't spell: 1984, 5%; write them as they are said"):
        spell("In 1984, 5% of 1984", CharacterTokenizer())
    with pytest.raises(AsrError, match="can't spell: 1, 2, 3, 4, 5 and 2 more"):
        spell("1 2 3 4 5 6 7", CharacterTokenizer())
    with pytest.raises(AsrError, match="holds no words"):
        spell(" ... ", CharacterTokenizer())


def test_frames_become_times():
    spelling = Spelling(("HI", "YOU"), (1, 2, 9, 3, 4, 5), ((0, 2), (3, 6)))
    names = ["", *"HIYOU..", "", " "]
    start, end = np.array([5, 7, 9, 10, 12, 13]), np.array([6, 8, 10, 11, 13, 14])
    spans = Spans(start, end, np.log([0.5, 0.5, 0.01, 1.0, 1.0, 0.125]), -3.0)
    first, second = time_words(spelling, names, spans, 0.04, 0.6)
    assert (first.text, first.start, first.end, first.confidence) == ("HI", 0.2, 0.4, 0.5)
    assert [(u.text, u.start, u.end) for u in first.units] == [("H", 0.2, 0.28), ("I", 0.28, 0.4)]
    assert (second.text, second.start, second.end, second.confidence) == ("YOU", 0.4, 0.6, 0.5)
    # Four frames later there is a pause between them, and the recording goes on.
    later = np.array([0, 0, 4, 4, 4, 4])
    spans = replace(spans, start=start + later, end=end + later)
    first, second = time_words(spelling, names, spans, 0.04, 2.0)
    assert (first.end, second.start, second.end) == (0.4, 0.56, 0.8)


def test_words_are_in_order_and_made_of_their_phones(aligned, librivox):
    phones = PhoneTokenizer()
    for alignment, clip in zip(aligned, librivox, strict=True):
        assert alignment.text == clip.text == " ".join(word.text for word in alignment.words)
        assert alignment.duration == pytest.approx(clip.duration)
        assert alignment.words[0].start >= 0
        assert alignment.words[-1].end <= alignment.duration
        for before, after in pairwise(alignment.words):
            assert before.start < before.end <= after.start
        for word in alignment.words:
            expected = [phones.units[unit] for unit in phones.encode(word.text)]
            assert [unit.text for unit in word.units] == expected
            assert (word.units[0].start, word.units[-1].end) == (word.start, word.end)
            assert all(before.end == after.start for before, after in pairwise(word.units))
            assert all(unit.start < unit.end for unit in word.units)
            assert all(0 <= part.confidence <= 1 for part in (word, *word.units))


def test_words_are_where_the_sound_is(aligner, librivox, tmp_path):
    """Silence of two seconds around and between clips: no word is in it, none is moved by it."""
    silence = np.zeros(2 * SAMPLE_RATE, np.float32)
    first, second = (load_audio(clip.audio_filepath) for clip in librivox[3:])
    path = tmp_path / "pauses.wav"
    soundfile.write(path, np.concatenate([silence, first, silence, second, silence]), SAMPLE_RATE)
    alignment = aligner.align(path, f"{librivox[3].text} {librivox[4].text}")
    count = len(librivox[3].text.split())
    spans = [(2.0, 2.0 + len(first) / SAMPLE_RATE)]
    spans.append((spans[0][1] + 2.0, alignment.duration - 2.0))
    for words, (start, end) in zip(
        (alignment.words[:count], alignment.words[count:]), spans, strict=True
    ):
        assert words[0].start > start - 0.15
        assert words[-1].end < end + 0.15


def test_a_long_recording_is_aligned_as_its_parts(aligner, aligned, librivox, tmp_path):
    clips = [0, 3, 2, 4, 1, 0, 3, 2, 4, 1, 3, 0]
    signals = [load_audio(librivox[index].audio_filepath) for index in clips]
    path = tmp_path / "long.flac"
    soundfile.write(path, np.concatenate(signals), SAMPLE_RATE)
    alignment = aligner.align(path, " ".join(librivox[index].text for index in clips))
    assert alignment.duration > 60  # three excerpts
    begins = np.cumsum([0, *map(len, signals)])[:-1] / SAMPLE_RATE
    expected = [
        (word.text, word.start + begin)
        for index, begin in zip(clips, begins, strict=True)
        for word in aligned[index].words
    ]
    assert [word.text for word in alignment.words] == [text for text, _ in expected]
    off = [abs(w.start - start) for w, (_, start) in zip(alignment.words, expected, strict=True)]
    assert median(off) < 0.05  # the grid of frames is another
    assert max(off) < 0.5


def test_a_text_that_is_not_spoken_is_refused(aligner, librivox, tmp_path):
    hiss = 0.1 * np.random.default_rng(0).standard_normal(5 * SAMPLE_RATE)
    soundfile.write(tmp_path / "hiss.wav", hiss, SAMPLE_RATE)
    soundfile.write(tmp_path / "silence.wav", np.zeros(5 * SAMPLE_RATE), SAMPLE_RATE)
    pairs = [(librivox[i].audio_filepath, librivox[i - 1].text) for i in (0, 3)]
    pairs += [(tmp_path / f"{name}.wav", librivox[1].text) for name in ("hiss", "silence")]
    for audio, text in pairs:
        with pytest.raises(AsrError, match="can't be aligned: the text is not what is spoken"):
            aligner.align(audio, text)


def test_a_text_with_errors_is_aligned(aligner, aligned, librivox):
    words = librivox[0].text.split()
    words[3:5] = ["ELEPHANTS"]
    alignment = aligner.align(librivox[0].audio_filepath, " ".join(words))
    assert alignment.words[3].confidence < 0.1
    assert alignment.words[-1].start == pytest.approx(aligned[0].words[-1].start, abs=0.1)


def test_bad_pairs_disturb_no_other_at_any_batch_size(aligner, aligned, librivox, tmp_path):
    (tmp_path / "text.wav").write_text("no audio")
    soundfile.write(tmp_path / "short.wav", np.zeros(3000), SAMPLE_RATE)
    good = [(clip.audio_filepath, clip.text) for clip in librivox]
    bad = [
        (tmp_path / "missing.wav", "HELLO"),
        (good[0][0], "A4 PAPER"),
        (tmp_path / "text.wav", "HELLO"),
        (tmp_path / "short.wav", "MUCH TOO LONG A TEXT"),
        (good[1][0], ""),
    ]
    pairs = [pair for both in zip(good, bad, strict=True) for pair in both]
    for batch_size in (1, 4):
        results = list(aligner.align_files(pairs, batch_size))
        assert results[::2] == aligned
        for (audio, _), result in zip(bad, results[1::2], strict=True):
            assert isinstance(result, AsrError)
            assert str(result).startswith(str(audio))


def test_the_command_writes_what_others_read(aligned, librivox, tmp_path, capsys):
    manifest = tmp_path / "pairs.jsonl"
    write_manifest(
        manifest,
        [
            *librivox,
            replace(librivox[0], utterance_id="spelled", text="ROOM 101"),
            replace(librivox[0], utterance_id="../outside"),
            librivox[1],
        ],
    )
    with open(manifest, "a") as file:
        file.write(json.dumps({"audio_filepath": librivox[2].audio_filepath}) + "\n")
    output = tmp_path / "out"
    status = cli.main(["align", "--manifest", str(manifest), "--format", "all", "-o", str(output)])
    lines = capsys.readouterr().err.splitlines()
    complaints = [line for line in lines if line.startswith("asr: ")]
    assert status == 1
    assert [line for line in complaints if "can't spell: 101" in line]
    assert [line for line in complaints if "'../outside'" in line]
    assert [line for line in complaints if "more than once" in line]
    assert [line for line in complaints if "line 9 of the manifest" in line and "no text" in line]
    assert complaints[-1] == "asr: 4 recordings could not be aligned"
    assert len(complaints) == 5
    assert len(list(output.iterdir())) == 3 * len(librivox)
    for clip, alignment in zip(librivox, aligned, strict=True):
        stem = output / clip.utterance_id
        record = json.loads(stem.with_suffix(".json").read_text())
        assert record["words"][0]["text"] == alignment.words[0].text
        assert record["words"][-1]["units"][-1]["end"] == alignment.words[-1].end
        rows = [line.split() for line in stem.with_suffix(".ctm").read_text().splitlines()]
        assert [row[4] for row in rows] == clip.text.split()
        assert {(row[0], row[1]) for row in rows} == {(clip.utterance_id, "1")}
        ends = [float(row[2]) + float(row[3]) for row in rows]
        assert ends == pytest.approx([word.end for word in alignment.words])
        grid = textgrid.TextGrid.fromFile(str(stem.with_suffix(".TextGrid")))
        assert [tier.name for tier in grid] == ["words", "phones"]
        words, phones = ([i for i in tier if i.mark] for tier in grid)
        assert [i.mark for i in words] == clip.text.split()
        units = [unit.text for word in alignment.words for unit in word.units]
        assert [i.mark for i in phones] == units
        assert [(i.minTime, i.maxTime) for i in words] == [
            (word.start, word.end) for word in alignment.words
        ]
        for tier in grid:  # without a gap from the first moment to the last
            edges = [tier[0].minTime, *(i.maxTime for i in tier)]
            assert (edges[0], edges[-1]) == (0, pytest.approx(alignment.duration))
            assert [i.minTime for i in tier] == edges[:-1]


def test_the_command_prints_one_alignment(aligned, librivox, tmp_path, capsys):
    audio = librivox[4].audio_filepath
    (tmp_path / "text.txt").write_text(librivox[4].text.lower(), encoding="utf-16")
    printed = []
    for text in ([str(tmp_path / "text.txt")], ["--text", librivox[4].text]):
        assert cli.main(["align", audio, *text]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] == WRITERS["ctm"](aligned[4], librivox[4].utterance_id)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "there is nothing to align"),
        (["x.wav"], "the text of x.wav is needed once"),
        (["x.wav", "x.txt", "--text", "X"], "the text of x.wav is needed once"),
        (["x.wav", "x.txt"], "x.txt does not exist"),
        (["x.wav", "--text", "X"], "x.wav does not exist"),
        (["x.wav", "--manifest", "y.jsonl"], "not both"),
        (["--manifest", "y.jsonl"], "y.jsonl does not exist"),
        (["x.wav", "--text", "X", "--format", "all"], "give one with -o"),
    ],
)
def test_mistakes_are_one_clear_sentence(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["align", *arguments]) == 1
    captured = capsys.readouterr()
    assert message in captured.err
    assert len(captured.err.strip().splitlines()) == 1
    assert captured.out == ""


def test_marks_in_a_text_grid_are_quoted():
    from asr.alignment import AlignedUnit, AlignedWord, Alignment

    unit = AlignedUnit('"', 0.1, 0.2, 0.5)
    word = AlignedWord('SAY "', 0.1, 0.2, 0.5, (unit,))
    written = WRITERS["TextGrid"](Alignment("x.wav", 0.3, "", -1.0, "bpe", (word,)), "x")
    assert 'text = "SAY """' in written


def test_a_manifest_needs_no_durations(librivox, tmp_path, capsys):
    clip = librivox[4]
    record = {"audio_filepath": clip.audio_filepath, "text": clip.text}
    (tmp_path / "pairs.jsonl").write_text(json.dumps(record) + "\n", encoding="utf-8-sig")
    assert cli.main(["align", "--manifest", str(tmp_path / "pairs.jsonl")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(clip.text.split())
