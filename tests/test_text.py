import json
import unicodedata

import pytest
import soundfile

from asr.cli.main import main
from asr.corpora.text_blocks import read_blocks
from asr.text import RULES, compose, foreign_characters, normalise, record_rules


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Hello, world!", "HELLO WORLD"),
        ("  it’s   the  O'Brien's “quoted” ' word ", "IT'S THE O'BRIEN'S QUOTED WORD"),
        ("well-known — naïve café", "WELL KNOWN NAIVE CAFE"),
        ("Straße ÆON", "STRASSE AEON"),
        ("'tis the dogs' day", "'TIS THE DOGS' DAY"),
        ("ﬁne", "FINE"),
        ("", ""),
        ("...", ""),
    ],
)
def test_normal_form(text, normal):
    assert normalise(text) == normal
    assert normalise(normal) == normal
    assert foreign_characters(normal) == ""


def test_reports_what_has_no_single_reading():
    assert foreign_characters(normalise("Room 101 costs $5 & £1")) == "10$5&£"


def test_librispeech_is_in_normal_form(librispeech):
    for path in sorted((librispeech / "dev-clean").rglob("*.trans.txt"))[:20]:
        for line in path.read_text().splitlines():
            text = line.split(" ", 1)[1]
            assert normalise(text) == text


@pytest.mark.parametrize(
    ("text", "normal", "rules"),
    [
        ("Well [noise] he", "WELL HE", {"sound": 1}),
        ("(laughs) so (in (coughs) fact)", "SO IN FACT", {"sound": 2}),
        ("(as he said) *sighs* *really*", "AS HE SAID REALLY", {"sound": 1}),
        ("at [the] end [UNK] [Illustration]", "AT THE END", {"unknown": 1, "sound": 1}),
        ("<i>left</i> <c.red>alone", "LEFT ALONE", {"tag": 3}),
        ("<s> one <unk> two </s>", "ONE TWO", {"sentence": 2, "unknown": 1}),
        ("don&#39;t &quot;go&quot;", "DON'T GO", {"entity": 3}),
        ("{um} well {laugh}", "UM WELL", {"brace": 1, "sound": 1}),
        ("he said ‘Yes,’ and 'No'", "HE SAID YES AND NO", {"quote": 2}),
        ("'I'll go,' she said", "I'LL GO SHE SAID", {"quote": 1}),
        ("'leave me' he said", "LEAVE ME HE SAID", {"quote": 1}),
        ("‘It’s the boys’ ball,’ he said", "IT'S THE BOYS' BALL HE SAID", {"quote": 1}),
        ("'Tis the dogs' day and 'em too", "'TIS THE DOGS' DAY AND 'EM TOO", {}),
        ("rock 'n' roll, o'clock", "ROCK 'N' ROLL O'CLOCK", {}),
        ("'Arry took the boys' ball", "'ARRY TOOK THE BOYS' BALL", {}),
        ("salt &amp; pepper", "SALT & PEPPER", {"entity": 1, "foreign": 1}),
        ("a < b > c, room 101", "A B C ROOM 101", {"foreign": 1}),
    ],
)
def test_marks_are_taken_out_by_rules_that_are_counted(text, normal, rules):
    with record_rules() as report:
        assert normalise(text) == normal
    assert report.counts == rules
    assert all(RULES[rule] in str(report) for rule in rules)
    assert normalise(normal) == normal


def test_equal_texts_are_equal_however_their_accents_are_written():
    decomposed = unicodedata.normalize("NFD", "café olé")
    with record_rules() as report:
        assert compose(decomposed) == compose("café olé") == "café olé"
    assert report.counts == {"composed": 1}


MARKS = "Well [noise] he said “‘Yes,’ (laughs) and <i>left</i>"
LINE = "normal form of text: 2 tags taken out (such as <i>); 2 marks of sounds taken out"


def test_the_commands_report_the_rules_in_one_line(tmp_path, capsys, librivox):
    (tmp_path / "marks.tsv").write_text(f"path\tsentence\na-1.wav\t{MARKS}\n")
    speech, rate = soundfile.read(librivox[1].audio_filepath)
    soundfile.write(tmp_path / "a-1.wav", speech, rate)
    assert main(["prepare", "folder", str(tmp_path), "-o", str(tmp_path / "out")]) == 0
    record = json.loads((tmp_path / "out" / "marks.jsonl").read_text())
    assert record["text"] == "WELL HE SAID YES AND LEFT"
    assert LINE in capsys.readouterr().err
    text = tmp_path / "text"
    text.write_text(f"{MARKS}\n" * 2)
    blocks = "".join(read_blocks([text], "reading"))
    assert blocks.splitlines() == ["WELL HE SAID YES AND LEFT"] * 2
    assert main(["lm", "train", str(text), "-o", str(tmp_path / "x.lm"), "--order", "1"]) == 0
    assert "4 tags taken out" in capsys.readouterr().err
    (tmp_path / "ref.txt").write_text(f"a-1 {MARKS}\n")
    (tmp_path / "hyp.txt").write_text("a-1 well he said yes and left\n")
    files = [str(tmp_path / f"{name}.txt") for name in ("ref", "hyp")]
    output = tmp_path / "f.json"
    assert main(["score", *files, "--normalise", "--json", str(output)]) == 0
    assert json.loads(output.read_text())["sets"][0]["wer"] == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if LINE in line]
    assert len(lines) == 1


def test_accents_written_in_two_ways_are_no_errors_in_score(tmp_path, capsys):
    for name, form in (("ref", "NFC"), ("hyp", "NFD")):
        text = unicodedata.normalize(form, "a café olé\n")
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    files = [str(tmp_path / f"{name}.txt") for name in ("ref", "hyp")]
    output = tmp_path / "f.json"
    assert main(["score", *files, "--json", str(output)]) == 0
    assert json.loads(output.read_text())["sets"][0]["wer"] == 0
    assert "1 texts with accents composed" in capsys.readouterr().err
