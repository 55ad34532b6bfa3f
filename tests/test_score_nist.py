"""asr score on NIST's formats; the numbers are those of sclite (SCTK 2.4.12)."""

import json
import os
import random
import re
import shutil
import subprocess

import pytest

from asr.cli import main as cli
from asr.errors import AsrError
from asr.scoring.alternation import Matching, map_words
from asr.scoring.glm import read_glm
from asr.scoring.network_alignment import score_marked

SCLITE = shutil.which("sclite", path=f"{os.environ.get('PATH', '')}:/usr/lib/sctk/bin")
needs_sclite = pytest.mark.skipif(not SCLITE, reason="sclite (Debian's sctk) is not there")

MEETING_STM = """\
;; CATEGORY "0" "" ""
;; LABEL "O" "Overall" "Overall"
room 1 anna 0.00 2.40 <O> the boat left { at / by } noon (uh)
room 1 ben 2.40 6.10 <O> nobody { has / 's / @ } answered the door
room 1 anna 6.10 7.00 <O> ignore_time_segment_in_scoring
"""
MEETING_CTM = """\
;; channel 1
room 1 0.10 0.20 the 0.98
room 1 0.35 0.30 boat 0.91
room 1 0.70 0.30 left 0.95
room 1 1.05 0.20 by 0.44
room 1 1.30 0.60 noon 0.88
room 1 2.60 0.50 nobody 0.97
room 1 3.20 0.60 answered 0.93
room 1 3.90 0.20 the 0.90
room 1 4.20 0.40 bore 0.31
room 1 6.30 0.40 ignored 0.50
"""


def score(folder, reference, hypothesis, *options):
    """The report of the command on files of these contents, by name."""
    paths = []
    for name, text in (reference, hypothesis):
        paths.append(folder / name)
        paths[-1].write_text(text)
    output = folder / "figures.json"
    status = cli.main(["score", *map(str, paths), "--json", str(output), *options])
    return status, json.loads(output.read_text())


def counts(record):
    names = ("words", "substitutions", "deletions", "insertions")
    return tuple(record[name] for name in names)


def test_words_of_a_ctm_belong_to_the_segments_of_an_stm_by_time(tmp_path):
    files = ("meeting.stm", MEETING_STM), ("meeting.ctm", MEETING_CTM)
    status, report = score(tmp_path, *files)
    assert status == 0
    (figures,) = report["sets"]
    speakers = {group["name"]: counts(group) for group in figures["speakers"]}
    assert speakers == {"anna": (6, 0, 1, 0), "ben": (4, 1, 0, 0)}
    assert figures["labels"][0]["name"] == "O"
    assert report["alignment"] == "sclite"
    _, report = score(tmp_path, *files, "-D")
    speakers = {group["name"]: counts(group) for group in report["sets"][0]["speakers"]}
    assert speakers == {"anna": (6, 0, 0, 0), "ben": (4, 1, 0, 0)}


def test_alternations_and_optional_words_of_trn(tmp_path):
    reference = "{ going to / gonna } leave (today) (s1-1)\nthe (%hesitation) kettle boils (s1-2)\n"
    files = ("ref.trn", reference), ("hyp.trn", "gonna leave (s1-1)\nthe kettle boils (s1-2)\n")
    _, report = score(tmp_path, *files)
    assert counts(report["sets"][0]) == (7, 0, 2, 0)
    _, report = score(tmp_path, *files, "-D")
    assert counts(report["sets"][0]) == (7, 0, 0, 0)
    assert report["sets"][0]["cer"] == 0


@pytest.mark.parametrize(
    ("reference", "hypothesis", "matching", "expected"),
    [
        ("a { b / cd / { g h i / gh i } bd } e", "a gh i bd e", Matching(), (5, 0, 0, 0)),
        ("a { c / @ } d", "a { d / @ } d", Matching(), (2, 0, 0, 0)),
        ("", "x { y / @ }", Matching(), (0, 0, 0, 1)),
        ("b (c) d", "b s i e", Matching(), (3, 2, 0, 1)),
        ("b (c) d", "e", Matching(optional=True), (3, 1, 1, 0)),
        ("th- fi- -icks", "this fish ticks", Matching(fragments=True), (3, 0, 0, 0)),
        ("a\\;s they;tag", "a\\;s they", Matching(), (2, 0, 0, 0)),
        ("word* x", "word x", Matching(), (2, 0, 0, 0)),
    ],
)
def test_marked_texts_are_aligned_as_by_sclite(reference, hypothesis, matching, expected):
    words = score_marked([reference], [hypothesis], ["u"], matching).words
    found = (words.reference, words.substitutions, words.deletions, words.insertions)
    assert found == expected


def marked(draw, depth=0):
    """A random text with alternations and optional words.

    Within nested alternations sclite may choose another one of the alignments of equal cost.
    """
    parts = []
    for _ in range(draw.randint(1, 6)):
        kind = draw.random()
        if kind < 0.15 and depth < 1:
            parts.append(f"{{ {marked(draw, depth + 1)} / {draw.choice(['@', 'a', 'b c'])} }}")
        elif kind < 0.25:
            parts.append(f"({draw.choice('abcdef')})")
        else:
            parts.append(draw.choice("abcdef"))
    return " ".join(parts)


@needs_sclite
@pytest.mark.parametrize("options", [[], ["-D"]])
@pytest.mark.parametrize("seed", range(3))
def test_random_marked_texts_have_the_numbers_of_sclite(tmp_path, seed, options):
    draw = random.Random(seed)
    for name in ("ref", "hyp"):
        lines = [f"{marked(draw)} (s{n % 5}-{n})\n" for n in range(100)]
        (tmp_path / f"{name}.trn").write_text("".join(lines))
    files = [str(tmp_path / f"{name}.trn") for name in ("ref", "hyp")]
    output = tmp_path / "f.json"
    cli.main(["score", *files, "--speakers", "id", "--json", str(output), *options])
    (figures,) = json.loads(output.read_text())["sets"]
    ours = {group["name"]: (group["utterances"], *counts(group)) for group in figures["speakers"]}
    command = [SCLITE, "-r", files[0], "-h", files[1], "-i", "spu_id", "-o", "rsum", "stdout"]
    run = subprocess.run([*command, *options], capture_output=True, text=True, timeout=60)
    pattern = r"\|\s*(s\d)\s*\|\s*(\d+)\s+(\d+)\s*\|\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)"
    theirs = {
        name: (int(sentences), int(words), int(s), int(d), int(i))
        for name, sentences, words, _, s, d, i in re.findall(pattern, run.stdout)
    }
    assert len(theirs) == 5
    assert ours == theirs


def test_alternatives_of_a_ctm_are_kept_together(tmp_path):
    stm = "x 1 a 0 1 one two three\n"
    ctm = (
        "x 1 0.0 0.2 one\nx 1 * * <ALT_BEGIN>\nx 1 0.3 0.1 to\nx 1 0.4 0.1 do\nx 1 * * <ALT>\n"
        "x 1 0.3 0.2 two\nx 1 * * <ALT_END>\nx 1 0.6 0.2 three\n"
    )
    _, report = score(tmp_path, ("r.stm", stm), ("h.ctm", ctm))
    assert counts(report["sets"][0]) == (3, 0, 0, 0)


def test_words_between_segments_and_unknown_channels(tmp_path, capsys):
    stm = "x A ann 1 2 one\nx A ann 3 4 two\nx B bob 0 9 three four\n"
    ctm = "x a 0.1 0.2 early\nx a 1.2 0.2 one\nx a 2.3 0.2 gap\nx a 8 1 late\ny 1 0 1 other\n"
    status, report = score(tmp_path, ("r.stm", stm), ("h.ctm", ctm))
    assert status == 1
    assert report["missing"] == ["channel B of x"]
    assert report["extra"] == ["channel 1 of y"]
    by_speaker = {group["name"]: counts(group) for group in report["sets"][0]["speakers"]}
    assert by_speaker == {"ann": (2, 1, 0, 2), "bob": (2, 0, 2, 0)}
    assert "lacks channel B of x" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("r.stm", "x 1 ann 2 1 word\n", "line 1 of .* has no times in seconds"),
        ("r.stm", "x 1 ann\n", "is no STM segment"),
        ("r.ctm", "x 1 0 word\n", "is no CTM word"),
        ("r.ctm", "x 1 0 -1 word\n", "has no start and duration"),
        ("r.ctm", "x 1 * * <ALT>\n", "has <ALT> out of place"),
        ("r.ctm", "x 1 * * <ALT_BEGIN>\nx 1 0 1 a\n", "ends within <ALT_BEGIN>"),
        ("r.trn", "{ a / b (x-1)\n", "has a { without a }"),
        ("r.trn", "a } b (x-1)\n", "has a } without a {"),
        ("r.textgrid", 'File type = "ooTextFile"\n', "is a TextGrid, which is not read"),
        ("r.txt", "SPEAKER x 1 0 1 <NA> <NA> ann <NA>\n", "is RTTM, which is not read"),
        ("r.eaf", "<?xml version='1.0'?>\n", "is XML or HTML, which is not read"),
        ("r.vtt", "WEBVTT\n\nno times here\n", "has a cue without times"),
        ("r.tsv", "start\tend\ttext\n0\t1\n", "has 2 columns, the header 3"),
    ],
)
def test_damaged_and_unknown_files_are_refused(tmp_path, capsys, name, text, message):
    (tmp_path / name).write_text(text)
    assert cli.main(["score", str(tmp_path / name), str(tmp_path / name)]) == 1
    error = capsys.readouterr().err
    assert re.search(message, error)
    assert len(error.strip().splitlines()) == 1


def test_times_are_needed_where_a_recording_has_several_segments(tmp_path, capsys):
    (tmp_path / "r.stm").write_text("x 1 a 0 1 one\nx 1 a 1 2 two\n")
    (tmp_path / "h.trn").write_text("one two (x)\n")
    assert cli.main(["score", str(tmp_path / "r.stm"), str(tmp_path / "h.trn")]) == 1
    assert "has no times of words to tell them apart; give it as ctm" in capsys.readouterr().err


GLM = """\
;; rules
* name "test"
* copy_no_hit = 'T'
* case_sensitive = 'F'
uh-huh => UHHUH / [ ] __ [ ]
 MID YEAR => MIDYEAR
[HE'S] => [{HE IS / HE HAS}] / [ ] __ [ ]
;; INPUT_DEPENDENT_APPLICATION = "hyp"
UM => %HESITATION / [ ] __ [ ]
"""


def test_global_mapping(tmp_path):
    """What csrfilt.sh of SCTK makes of these texts by these rules."""
    (tmp_path / "test.glm").write_text(GLM)
    rules = read_glm(tmp_path / "test.glm")
    assert rules.apply("uh-huh a mid year he's um", "stm", "ref") == (
        "UHHUH A MIDYEAR {HE IS / HE HAS} UM"
    )
    assert rules.apply("um (so well) humdrum", "ctm", "hyp") == "%HESITATION (SO) (WELL) HUMDRUM"
    files = ("r.trn", "he is here um (a-1)\n"), ("h.trn", "he's here um (a-1)\n")
    _, report = score(tmp_path, *files, "--glm", str(tmp_path / "test.glm"))
    assert counts(report["sets"][0]) == (4, 1, 0, 0)
    (tmp_path / "bad.glm").write_text(";; rules\nno arrow\n")
    with pytest.raises(AsrError, match=r"line 2 of .* is no rule"):
        read_glm(tmp_path / "bad.glm")


def test_words_of_marked_texts_are_changed_one_by_one():
    text = "well- { going to / gonna } @ (uh) and/or"
    assert map_words(text, str.upper) == "WELL- { GOING TO / GONNA } @ (UH) AND/OR"
    assert map_words("(a-b)", lambda word: word.replace("-", " ")) == "(a) (b)"


def test_case_is_hinted_at_where_no_word_is_right(tmp_path, capsys):
    files = ("r.stm", "x 1 a 0 1 one two\n"), ("h.ctm", "x 1 0 0.1 ONE\nx 1 0.2 0.1 TWO\n")
    score(tmp_path, *files)
    assert "--ignore-case compares without it" in capsys.readouterr().err
    _, report = score(tmp_path, *files, "--ignore-case")
    assert counts(report["sets"][0]) == (2, 0, 0, 0)
    assert capsys.readouterr().err == ""
