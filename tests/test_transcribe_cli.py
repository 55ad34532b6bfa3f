"""asr transcribe: inputs, outputs, channels, interruption."""

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from media import write_media

import asr
from asr.audio.read import SAMPLE_RATE, load_audio
from asr.cli import main as cli
from asr.cli.transcriber import _read_hotwords
from asr.transcription.writers import WRITERS


@pytest.fixture
def talks(tmp_path, librivox, monkeypatch):
    """A folder of clips, in the working folder."""
    monkeypatch.chdir(tmp_path)
    for name, clip in (("a.wav", 1), ("deep/b.wav", 4), ("deep/er/c.wav", 1)):
        path = tmp_path / "talks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(librivox[clip].audio_filepath, path)
    return Path("talks")


@pytest.fixture
def transcribe(capsys):
    def run(*arguments):
        status = cli.main(["transcribe", "--decoder", "greedy", *map(str, arguments)])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_all_formats_at_once_beside_the_input(talks, transcribe):
    assert transcribe(talks / "a.wav", talks / "deep", "--format", "all", "--beside") == (0, "", "")
    stems = ("a", "deep/b", "deep/er/c")
    assert files(talks) == sorted(f"{stem}.{end}" for stem in stems for end in (*WRITERS, "wav"))
    text = (talks / "a.txt").read_text()
    assert (talks / "deep" / "er" / "c.txt").read_text() == text
    record = json.loads((talks / "a.json").read_text())
    assert record["audio_filepath"] == "talks/a.wav"
    assert record["text"] + "\n" == text
    assert (talks / "a.trn").read_text() == f"{record['text']} (a)\n"
    assert len((talks / "a.ctm").read_text().splitlines()) == len(record["words"])


def test_quoted_patterns_are_understood(talks, transcribe):
    status, out, err = transcribe("talks/**/*.wav")
    assert (status, err) == (0, "")
    names = ["talks/a.wav", "talks/deep/b.wav", "talks/deep/er/c.wav"]
    assert [line.split("\t")[0] for line in out.splitlines()] == names
    assert transcribe("talks/*.mp3") == (1, "", "asr: no file matches talks/*.mp3\n")


def test_what_is_there_is_skipped(talks, transcribe):
    (talks / "a.srt").write_text("mine")
    assert transcribe(talks, "--format", "srt", "--beside", "--skip-existing")[0] == 0
    assert (talks / "a.srt").read_text() == "mine"
    assert "-->" in (talks / "deep" / "b.srt").read_text()
    before = (talks / "deep" / "b.srt").stat().st_mtime_ns
    assert transcribe(talks, "--format", "srt", "--beside", "--skip-existing")[0] == 0
    assert (talks / "deep" / "b.srt").stat().st_mtime_ns == before
    assert transcribe(talks / "a.wav", "--format", "srt", "--beside")[0] == 0
    assert (talks / "a.srt").read_text() != "mine"


def test_outputs_of_one_name_are_told_apart(talks, transcribe):
    shutil.copy(talks / "a.wav", talks / "a.flac")
    assert transcribe(talks / "a.wav", talks / "a.flac", "--beside")[0] == 0
    assert transcribe(talks, "-o", "out")[0] == 0
    assert {"a.wav.txt", "a.flac.txt"} <= set(files(talks))
    assert files(Path("out")) == ["a.flac.txt", "a.wav.txt", "deep/b.txt", "deep/er/c.txt"]


def test_no_output_is_written_over_by_another(talks, transcribe):
    for name in ("deep/a.wav", "deep/a.flac", "deep/a.wav.flac"):
        shutil.copy(talks / "a.wav", talks / name)
    assert transcribe(talks, "-o", "out")[0] == 0
    assert len(files(Path("out"))) == 6
    assert {"a.txt", "deep/a.flac.txt", "deep/b.txt", "deep/er/c.txt"} < set(files(Path("out")))


def test_recordings_of_one_stem_have_ids_of_their_own(talks, transcribe, capsys):
    shutil.copy(talks / "a.wav", talks / "deep" / "a.wav")
    shutil.copy(talks / "a.wav", talks / "deep" / "a.flac")
    shutil.copy(talks / "deep" / "b.wav", talks / "deep" / "er" / "c c.wav")
    shutil.copy(talks / "deep" / "b.wav", talks / "deep" / "er" / "c_c.wav")
    status, out, _ = transcribe(talks, "--format", "trn")
    assert status == 0
    ids = [line.rpartition("(")[2].rstrip(")") for line in out.splitlines()]
    assert sorted(ids) == sorted(
        ["a", "b", "c", "deep/a.flac", "deep/a.wav", "deep/er/c_c", "deep/er/c_c_2"]
    )
    Path("all.trn").write_text(out)
    assert cli.main(["score", "all.trn", "all.trn"]) == 0
    capsys.readouterr()
    _, out, _ = transcribe(talks, "--format", "ctm")
    assert {line.split()[0] for line in out.splitlines()} == set(ids)


def test_names_may_be_long_or_hold_line_ends_and_dashes(talks, transcribe):
    long = [talks / f"{'n' * 250}{end}.wav" for end in "12"]
    for path in (*long, Path("-x.wav"), Path("two\nlines\t.wav")):
        shutil.copy(talks / "a.wav", path)
    assert transcribe(*long, "--format", "all", "-o", "out") == (0, "", "")
    assert len(files(Path("out"))) == 2 * len(WRITERS)
    assert all(len(name) <= 255 for name in files(Path("out")))
    again = transcribe(*long, "--format", "all", "-o", "out", "--skip-existing")
    assert again == (0, "", "")
    status, out, _ = transcribe("--", "-x.wav", "two\nlines\t.wav")
    assert status == 0
    assert [line.split("\t")[0] for line in out.splitlines()] == ["-x.wav", r"two\nlines\t.wav"]
    assert transcribe("--format", "json", "-o", "out", "--", "two\nlines\t.wav")[0] == 0
    record = json.loads(Path("out/two\nlines\t.json").read_text())
    assert record["audio_filepath"] == "two\nlines\t.wav"
    assert (
        transcribe("--format", "trn", "--", "-x.wav", "two\nlines\t.wav")[1]
        .splitlines()[1]
        .endswith(" (two_lines_)")
    )


def from_stdin(monkeypatch, data):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_standard_input_is_a_file_like_any_other(talks, transcribe, monkeypatch):
    data = (talks / "a.wav").read_bytes()
    _, text, _ = transcribe(talks / "a.wav")
    from_stdin(monkeypatch, data)
    assert transcribe("-") == (0, text, "")
    from_stdin(monkeypatch, data)
    assert transcribe("-", "--format", "json", "-o", "out") == (0, "", "")
    record = json.loads(Path("out/stdin.json").read_text())
    assert (record["audio_filepath"], record["text"] + "\n") == ("-", text)
    from_stdin(monkeypatch, b"no audio")
    expected = "asr: - is not audio in a format that can be read\n"
    assert transcribe("-") == (1, "", expected)
    from_stdin(monkeypatch, data)
    status, _, err = transcribe("-", "--beside")
    assert (status, err) == (
        1,
        "asr: standard input has no folder to write beside: use -o FOLDER\n",
    )


@pytest.mark.parametrize("wish", [["--format", "all"], ["--skip-existing"]])
def test_wishes_that_need_files_say_so(talks, transcribe, wish):
    status, out, err = transcribe(talks / "a.wav", *wish)
    assert (status, out) == (1, "")
    assert err == f"asr: {' '.join(wish)} needs files to write: add -o FOLDER or --beside\n"


def test_formats_that_name_no_recording_need_files_for_several(talks, transcribe):
    status, out, err = transcribe(talks, "--format", "srt")
    assert (status, out) == (1, "")
    expected = "asr: --format srt of 3 inputs needs files to write: add -o FOLDER or --beside\n"
    assert err == expected


def test_an_output_that_cannot_be_written_is_one_clear_sentence(talks, transcribe):
    Path("out").write_text("in the way")
    status, _, err = transcribe(talks / "a.wav", "-o", "out")
    assert status == 1
    assert err.startswith("asr: out/a.txt can't be written: ")
    assert len(err.splitlines()) == 1


def test_an_output_that_cannot_be_written_stops_no_other(talks, transcribe):
    (talks / "a.txt").mkdir()
    long = talks / f"{'n' * 251}.wav"  # with .txt or .wav as long as a name may be
    shutil.copy(talks / "a.wav", long)
    status, _, err = transcribe(talks / "a.wav", talks / "deep", long, "--beside")
    assert (status, len(err.splitlines())) == (1, 1)
    assert err.startswith("asr: talks/a.txt can't be written: ")
    for done in (long, talks / "deep" / "b.wav", talks / "deep" / "er" / "c.wav"):
        assert done.with_suffix(".txt").read_text().strip()


def test_what_cannot_be_the_name_of_a_file_stops_no_other(talks, transcribe, capsys):
    name = "n" * 300
    status, out, err = transcribe(name, talks / "a.wav")
    assert (status, err) == (1, f"asr: {name} does not exist\n")
    assert out.strip()
    for command in (["evaluate", name], ["score", name, name], ["transcribe", "--model", name]):
        audio = [str(talks / "a.wav")] if command[0] == "transcribe" else []
        assert cli.main([*command, *audio]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"asr: {name}")
        assert line.endswith("can't be used: File name too long")


def test_hot_words_may_be_many_and_hold_slashes(tmp_path):
    words = [f"WORD{number}" for number in range(50)]
    assert _read_hotwords(", ".join(words)) == words
    assert _read_hotwords("AC/DC, FOO") == ["AC/DC", "FOO"]
    (tmp_path / "words").write_text("AC/DC\nFOO, BAR\n")
    assert _read_hotwords(str(tmp_path / "words")) == ["AC/DC", "FOO, BAR"]


def test_a_name_that_is_not_utf8_is_written_as_text(talks, transcribe):
    name = talks / os.fsdecode(b"caf\xe9.wav")
    shutil.copy(talks / "a.wav", name)
    assert transcribe(name, talks / "a.wav", "--format", "all", "-o", "out") == (0, "", "")
    assert len(files(Path("out"))) == 2 * len(WRITERS)
    (path,) = (path for path in Path("out").glob("caf*.json"))
    assert json.loads(path.read_text())["audio_filepath"] == r"talks/caf\udce9.wav"
    status, out, _ = transcribe(name, talks / "a.wav")
    assert (status, out.split("\t")[0]) == (0, r"talks/caf\udce9.wav")


def test_audio_of_other_formats_in_a_folder_is_reported(talks, transcribe):
    (talks / "deep" / "b.aax").write_bytes(b"\0\0\0\x20ftypaax ")
    status, _, err = transcribe(talks, talks / "deep", "-o", "out")
    assert (status, len(err.splitlines())) == (1, 1)
    assert err.startswith("asr: talks/deep/b.aax is in a format that can't be read; convert it")
    assert "deep/b.txt" in files(Path("out"))


def test_channels_show_in_every_format(talks, transcribe, librivox):
    left, right = (load_audio(librivox[clip].audio_filepath) for clip in (1, 4))
    both = np.zeros((len(left) + len(right), 2), np.float32)
    both[: len(left), 0] = left
    both[len(left) :, 1] = right
    soundfile.write("call.wav", both, SAMPLE_RATE)
    assert transcribe("call.wav", "--channel", "split", "--format", "all", "-o", "out")[0] == 0
    (first, second) = Path("out/call.txt").read_text().splitlines()
    assert (first[:3], second[:3]) == ("1: ", "2: ")
    rows = [line.split() for line in Path("out/call.ctm").read_text().splitlines()]
    assert {row[1] for row in rows} == {"1", "2"}
    assert "<v Channel 2>" in Path("out/call.vtt").read_text()
    assert "[2] " in Path("out/call.srt").read_text()
    assert "(call-2)" in Path("out/call.trn").read_text()
    status, out, _ = transcribe("call.wav", "--channel", 2)
    assert (status, out) == (0, second + "\n")
    status, out, err = transcribe("call.wav", "--channel", 3)
    assert (status, out) == (1, "")
    assert err == "asr: call.wav has 2 channels: there is no channel 3\n"


def test_a_silent_channel_has_its_line_too(transcribe, librivox, tmp_path):
    speech = load_audio(librivox[1].audio_filepath)
    for name, right in (("call", speech), ("hush", 0 * speech)):
        both = np.stack([0 * speech, right], axis=1)
        soundfile.write(tmp_path / f"{name}.wav", both, SAMPLE_RATE)
    options = ["--channel", "split", "--format", "trn", "-o", tmp_path]
    assert transcribe(tmp_path, *options)[0] == 0
    assert (tmp_path / "hush.trn").read_text() == "(hush-1)\n(hush-2)\n"
    first, second = (tmp_path / "call.trn").read_text().splitlines()
    assert first == "(call-1)"
    assert second.endswith(" (call-2)")


def test_a_long_file_prints_its_segments_line_by_line(talks, transcribe, librivox):
    clips = [load_audio(u.audio_filepath) for u in librivox]
    soundfile.write("long.wav", np.concatenate(clips * 2), SAMPLE_RATE)
    status, out, _ = transcribe("long.wav")
    assert status == 0
    assert len(out.splitlines()) > 1
    _, several, _ = transcribe("long.wav", talks / "a.wav")
    assert [line for line in several.splitlines() if line.startswith("long.wav\t")] == [
        f"long.wav\t{line}" for line in out.splitlines()
    ]


def test_containers_stand_beside_other_files(talks, transcribe, librivox):
    speech = load_audio(librivox[1].audio_filepath)
    write_media(talks / "camera.mov", speech, "mov", video=True)
    write_media(talks / "phone.m4a", speech, "m4a")
    assert transcribe(talks, "-o", "out") == (0, "", "")
    assert Path("out/camera.txt").read_text() == Path("out/a.txt").read_text()
    assert "HE WAS NOT" in Path("out/phone.txt").read_text()


def test_a_pipe_is_read_once_and_named_as_it_was(talks, transcribe):
    _, text, _ = transcribe(talks / "a.wav")
    pipe = talks / "pipe.wav"
    for data, expected in (
        ((talks / "a.wav").read_bytes(), (0, text, "")),
        (b"no audio", (1, "", "asr: talks/pipe.wav is not audio in a format that can be read\n")),
    ):
        os.mkfifo(pipe)
        writer = threading.Thread(target=pipe.write_bytes, args=(data,), daemon=True)
        writer.start()
        assert transcribe(pipe) == expected
        writer.join(timeout=10)
        pipe.unlink()


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not there")
@pytest.mark.parametrize(
    "command",
    [
        "cat talks/a.wav | {asr} transcribe /dev/stdin",
        "{asr} transcribe /dev/stdin < talks/a.wav",
        "{asr} transcribe <(cat talks/a.wav)",
        "{asr} align <(cat talks/a.wav) --text 'HE WAS NOT AN ILL DISPOSED YOUNG MAN'",
    ],
)
def test_pipes_of_a_shell(talks, command):
    program = f"{sys.executable} -m asr"
    done = subprocess.run(
        ["bash", "-c", command.format(asr=program)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path(asr.__file__).parents[1])},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "HE" in done.stdout
    assert "YOUNG" in done.stdout


def test_a_cut_off_file_is_written_down_and_reported(talks, transcribe):
    data = (talks / "a.wav").read_bytes()
    (talks / "a.wav").write_bytes(data[: len(data) * 2 // 3])
    for arguments in ((), ("-o", "out"), ("--format", "json")):
        status, out, err = transcribe(talks / "a.wav", *arguments)
        assert status == 1
        assert re.fullmatch(
            r"asr: talks/a.wav is cut off or damaged: \d.\d s of 3.0 s were read, the rest is "
            r"missing\n",
            err,
        )
        assert "HE WAS" in (out or Path("out/a.txt").read_text())
    assert transcribe(talks / "deep", talks / "a.wav", "-o", "out")[0] == 1


def test_notes_are_no_failures(talks, transcribe):
    data = bytearray((talks / "a.wav").read_bytes())
    expected = transcribe(talks / "a.wav")[1]
    data[data.index(b"data") + 4 :][:4] = bytes(4)
    at = data.index(b"data") + 4
    data[at : at + 4] = bytes(4)
    (talks / "a.wav").write_bytes(data)
    assert transcribe(talks / "a.wav") == (
        0,
        expected,
        "note: the header of talks/a.wav holds no true length: all audio up to the end of the "
        "file was read\n",
    )
    hiss = 0.05 * np.random.default_rng(0).standard_normal(3 * SAMPLE_RATE)
    soundfile.write(talks / "hiss.wav", hiss, SAMPLE_RATE)
    soundfile.write(talks / "long.wav", np.tile(hiss, 20), SAMPLE_RATE)
    soundfile.write(talks / "silence.wav", np.zeros(SAMPLE_RATE), SAMPLE_RATE)
    for name in ("hiss", "long"):
        status, out, err = transcribe(talks / f"{name}.wav")
        assert (status, out.strip()) == (0, "")
        assert err == f"note: talks/{name}.wav has sound, but no words were recognised in it\n"
    assert transcribe(talks / "silence.wav") == (0, "\n", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_no_copy_of_a_recording_stays_behind(tmp_path, librivox, number):
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    command = [sys.executable, "-m", "asr", "transcribe", "-", "--decoder", "greedy"]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(scratch)},
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    )
    process.stdin.write(Path(librivox[0].audio_filepath).read_bytes())
    process.stdin.flush()
    deadline = time.monotonic() + 60
    while not list(scratch.rglob("stdin")):
        assert time.monotonic() < deadline, "standard input is not copied"
        time.sleep(0.02)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert not list(scratch.iterdir())


def test_ctrl_c_keeps_what_is_done(tmp_path, librivox):
    inputs, outputs = tmp_path / "in", tmp_path / "out"
    inputs.mkdir()
    for number in range(1000):
        os.symlink(librivox[number % 5].audio_filepath, inputs / f"{number:04}.wav")
    command = [sys.executable, "-m", "asr", "transcribe", inputs, "-o", outputs]
    process = subprocess.Popen(
        [*map(str, command), "--decoder", "greedy", "--batch-size", "1", "--format", "json"],
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background job has SIGINT ignored, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 120
    while not list(outputs.glob("*.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    written = list(outputs.iterdir())
    assert 0 < len(written) < 1000
    (done,) = re.fullmatch(r"asr: interrupted: (\d+) of 1000 inputs are done\n", err).groups()
    assert len(written) - 1 <= int(done) <= len(written)  # one may be written and not yet counted
    for path in written:
        assert json.loads(path.read_text())["words"]
