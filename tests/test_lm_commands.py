import gzip
import io
import os
import re
import subprocess
import sys

import pytest

from asr.cli.main import _parser, main
from asr.ngram import load
from asr.ngram.estimation import DEFAULT_ORDER, DEFAULT_VOCABULARY

TEXT = """Call me Ishmael. Some years ago - never mind how long precisely -
having little or no money in my purse, and nothing particular to interest me on shore,
I thought I would sail about a little and see the watery part of the world.
It is a way I have of driving off the spleen and regulating the circulation.
"""


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "moby.txt"
    path.write_text(TEXT)
    return path


def run(*arguments):
    return main(["lm", *map(str, arguments)])


def failure(capsys, *arguments):
    assert run(*arguments) == 1
    out, error = capsys.readouterr()
    assert out == ""
    assert error.count("\n") == 1
    return error


def test_trains_measures_and_describes(text, tmp_path, capsys):
    assert run("train", text, "-o", tmp_path / "out" / "moby.lm") == 0
    assert re.fullmatch(r".*moby.lm: 50 \+ 62 \+ 58 n-grams, 0.00 MB\n", capsys.readouterr().out)
    assert run("info", tmp_path / "out" / "moby.lm") == 0
    out = capsys.readouterr().out
    assert "order     3\n" in out
    assert "words     50, <unk> <s> </s> THE AND I A" in out
    assert "50 of order 1, 62 of order 2, 58 of order 3" in out
    text.write_text("I thought Moby would sail\n\nabout")
    assert run("perplexity", tmp_path / "out" / "moby.lm", text) == 0
    row = capsys.readouterr().out.splitlines()[1].split()
    assert row[1:4] == ["2", "6", "1"]
    model = load(tmp_path / "out" / "moby.lm")
    known = model.score_sentence(["I", "THOUGHT", "MOBY", "WOULD", "SAIL"])
    known += model.score_sentence(["ABOUT"])
    assert float(row[4]) == pytest.approx(10 ** -(sum(known) / 8), abs=0.006)
    del known[2]
    assert float(row[5]) == pytest.approx(10 ** -(sum(known) / 7), abs=0.006)


def test_the_name_says_the_form(text, tmp_path, capsys):
    assert run("train", text, "-o", tmp_path / "a.arpa.gz", "--order", 2) == 0
    assert gzip.decompress((tmp_path / "a.arpa.gz").read_bytes()).startswith(
        b"\\data\\\nngram 1=50\n"
    )
    assert run("convert", tmp_path / "a.arpa.gz", "-o", tmp_path / "a.lm", "--exact") == 0
    assert run("convert", tmp_path / "a.lm", "-o", tmp_path / "b.arpa") == 0
    data = gzip.decompress((tmp_path / "a.arpa.gz").read_bytes())
    assert sorted((tmp_path / "b.arpa").read_bytes().split()) == sorted(data.split())


def test_takes_a_vocabulary_and_prunes(text, tmp_path, capsys):
    words = tmp_path / "words.txt"
    words.write_text("I\nsail\nwhale\n")
    assert run("train", text, "-o", tmp_path / "a.lm", "--vocab", words, "--max-ngrams", 5) == 0
    model = load(tmp_path / "a.lm")
    assert model.words[3:] == ["I", "SAIL", "WHALE"]
    assert sum(model.counts[1:]) == 5
    assert run("train", text, "-o", tmp_path / "a.lm", "--vocab", 2, "--prune", 0, 1) == 0
    assert len(load(tmp_path / "a.lm").words) == 5
    assert run("train", text, "-o", tmp_path / "a.lm", "--max-size", 0.002) == 0
    assert (tmp_path / "a.lm").stat().st_size <= 2000


def test_reads_standard_input(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    assert run("train", "-", "-o", tmp_path / "a.lm") == 0
    assert "ISHMAEL" in load(tmp_path / "a.lm").words


def test_says_what_is_wrong(text, tmp_path, capsys):
    out = tmp_path / "a.lm"
    assert "no.txt does not exist" in failure(capsys, "train", tmp_path / "no.txt", "-o", out)
    assert "is a folder; name a file" in failure(capsys, "train", text, "-o", tmp_path)
    arpa = tmp_path / "a.arpa"
    assert "leave --exact out" in failure(capsys, "train", text, "-o", arpa, "--exact")
    assert "only once" in failure(capsys, "train", "-", "-", "-o", out)
    assert "such as 0 1 1" in failure(capsys, "train", text, "-o", out, "--prune", 1)
    assert "a.lm does not exist" in failure(capsys, "info", out)
    assert "moby.txt is no language model" in failure(capsys, "perplexity", text, text)
    empty = tmp_path / "empty.txt"
    empty.write_text("\n")
    assert "no word in" in failure(capsys, "train", text, "-o", out, "--vocab", empty)
    assert not out.exists()
    for arguments in (["--max-size", "0"], ["--vocab", "0"], ["--order", "x"]):
        with pytest.raises(SystemExit):
            run("train", text, "-o", out, *arguments)


@pytest.mark.parametrize("action", [[], ["train"], ["convert"], ["perplexity"], ["info"]])
def test_help_has_an_example(action, capsys):
    with pytest.raises(SystemExit):
        run(*action, "--help")
    assert " ".join(["Example: asr lm", *action]) in " ".join(capsys.readouterr().out.split())


def test_the_defaults_are_those_of_the_package():
    options = _parser().parse_args(["lm", "train", "books.txt", "-o", "books.lm"])
    assert (options.order, options.vocab) == (DEFAULT_ORDER, DEFAULT_VOCABULARY)


def test_help_loads_no_numpy():
    code = "import sys, asr.cli.main; asr.cli.main._parser(); assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)


def test_a_lower_case_model_is_read_in_upper_case_and_said(tmp_path, capsys, librivox):
    text = tmp_path / "text"
    text.write_text(f"{librivox[4].text}\n")
    upper, lower = tmp_path / "upper.arpa", tmp_path / "lower.arpa"
    assert main(["lm", "train", str(text), "-o", str(upper), "--order", "2"]) == 0
    lower.write_text(upper.read_text().lower())
    capsys.readouterr()
    tables = []
    for path in (upper, lower):
        assert main(["lm", "perplexity", str(path), str(text)]) == 0
        captured = capsys.readouterr()
        tables.append(captured.out)
        assert ("words of language models read in upper case" in captured.err) == (path == lower)
    assert tables[0] == tables[1]
    audio = ["transcribe", librivox[4].audio_filepath, "--decoder", "beam", "--lm"]
    texts = []
    for path in (upper, lower):
        assert main([*audio, str(path)]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]


def test_a_model_with_a_word_in_two_cases_is_refused(tmp_path, capsys):
    path = tmp_path / "two.arpa"
    path.write_text(
        "\\data\\\nngram 1=6\n\n\\1-grams:\n-1\t<unk>\n-99\t<s>\n-1\t</s>\n"
        "-1\tthe\n-1\tThe\n-1\tboat\n\n\\end\\\n"
    )
    (tmp_path / "text").write_text("the boat\n")
    assert main(["lm", "perplexity", str(path), str(tmp_path / "text")]) == 1
    assert "in two cases" in capsys.readouterr().err
