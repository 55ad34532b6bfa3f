"""asr compare: is the difference more than chance?"""

import json
import os
import random
import re
import shutil
import subprocess

import numpy as np
import pytest
from test_score import noisy

from asr.cli import main as cli
from asr.errors import AsrError
from asr.scoring.comparison import compare
from asr.scoring.pairing import Paired
from asr.scoring.results import score_pairs
from asr.scoring.sclite import write_sclite
from asr.scoring.transcripts import UtteranceText

SCTK = f"{os.environ.get('PATH', '')}:/usr/lib/sctk/bin"
TOOLS = [shutil.which(name, path=SCTK) for name in ("sclite", "sc_stats")]


def evaluation(name, references, hypotheses):
    said = [UtteranceText(f"s{n % 8}-{n:03}", text) for n, text in enumerate(references)]
    return score_pairs(name, Paired(said, hypotheses, [], []))


def worse(texts, rate, seed):
    """The same texts with words replaced by others."""
    draw = random.Random(seed)
    return [
        " ".join("XX" if draw.random() < rate else word for word in text.split()) for text in texts
    ]


def test_a_system_does_not_differ_from_itself():
    references, hypotheses = noisy(100, 0.3)
    found = compare(*[evaluation(name, references, hypotheses) for name in "ab"])
    assert found.difference == found.bootstrap.low == found.bootstrap.high == 0.0
    assert found.bootstrap.p == found.matched_pairs.p == 1.0
    assert found.changes == []


def test_a_clear_difference_is_found_and_its_sign_is_that_of_the_second():
    references, hypotheses = noisy(200, 0.2)
    found = compare(
        evaluation("a", references, hypotheses),
        evaluation("b", references, worse(hypotheses, 0.1, 1)),
    )
    assert found.difference > 0.05
    assert found.bootstrap.low < found.difference < found.bootstrap.high
    assert found.bootstrap.low > 0
    assert max(found.bootstrap.p, found.matched_pairs.p) < 0.001
    assert found.bootstrap.improvement == 0.0
    back = compare(found.second, found.first)
    assert back.difference == -found.difference
    assert back.matched_pairs.z == pytest.approx(-found.matched_pairs.z)
    sizes = [abs(change.difference) for change in found.changes]
    assert sizes == sorted(sizes, reverse=True)
    assert min(sizes) > 0


def test_chance_alone_is_seldom_taken_for_a_difference():
    """Two systems alike but for chance: p-values below 0.1 come up one time in ten."""
    low = np.zeros(2)
    for seed in range(120):
        references, hypotheses = noisy(40, 0.1, seed)
        pair = [worse(hypotheses, 0.1, f"{seed} {side}") for side in "ab"]
        found = compare(*(evaluation("x", references, texts) for texts in pair))
        low += [found.bootstrap.p < 0.1, found.matched_pairs.p < 0.1]
    # 12 expected; fewer than 3 or more than 25 of 120 would come once in a thousand cases.
    assert all(low >= 3)
    assert all(low <= 25)


def test_segments_end_where_both_have_two_words_right():
    references = ["A B C D E F G H"]
    first, second = ["A X C Y E F Z H"], ["A B C D E F G H I"]
    found = compare(evaluation("a", references, first), evaluation("b", references, second))
    # X and Y have one right word between them, Y and Z two, Z and I one.
    assert found.matched_pairs.segments == 2
    assert found.matched_pairs.mean == pytest.approx((-2 + 0) / 2)


@pytest.mark.skipif(None in TOOLS, reason="sclite and sc_stats (Debian's sctk) are not there")
def test_matched_pairs_are_those_of_nist(tmp_path):
    references, hypotheses = noisy(200, 0.2)
    systems = [evaluation("a", references, hypotheses)]
    mixed = [
        two if n % 3 else one
        for n, (one, two) in enumerate(
            zip(worse(hypotheses, 0.02, 1), worse(references, 0.24, 2), strict=True)
        )
    ]
    systems.append(evaluation("b", references, mixed))
    sgml = ""
    for system in systems:
        reference, hypothesis, *_ = write_sclite(tmp_path, system)
        files = ["-r", reference, "-h", hypothesis, "-i", "spu_id"]
        command = [TOOLS[0], *files, "-o", "sgml", "stdout"]
        sgml += subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=60
        ).stdout

    def test(option, folder):
        command = [TOOLS[1], "-p", "-t", "mapsswe", option, "-n", "nist"]
        folder.mkdir()
        subprocess.run(
            command, input=sgml, cwd=folder, text=True, capture_output=True, check=True, timeout=60
        )
        return "".join(path.read_text() for path in folder.glob("nist*"))

    found = compare(*systems)
    segments = re.search(r"Number of Segments (\d+)", test("-v", tmp_path / "v"))[1]
    # Where an error may as well stand one word further on, sclite may put it there.
    assert found.matched_pairs.segments == pytest.approx(int(segments), rel=0.01)
    p = re.search(r"MP .*?(?:<|\s)(\d?\.\d{3})\s", test("-u", tmp_path / "u"))[1]
    assert found.matched_pairs.p == pytest.approx(float(p), abs=0.0011)


def test_the_command_shows_and_writes_the_comparison(tmp_path, capsys):
    references, hypotheses = noisy(60, 0.3)
    sides = {"ref": references, "a": worse(hypotheses, 0.2, 1), "b": hypotheses}
    for name, texts in sides.items():
        lines = [f"s{n % 8}-{n:02} {text}\n" for n, text in enumerate(texts)]
        (tmp_path / f"{name}.txt").write_text("".join(lines))
    (tmp_path / "b.txt").write_text("".join(lines[1:]))
    files = [str(tmp_path / f"{name}.txt") for name in sides]
    output = tmp_path / "c.json"
    options = ["--json", str(output), "--speakers", "id", "--changed", "2"]
    assert cli.main(["compare", *files, *options]) == 1  # one utterance is missing
    captured = capsys.readouterr()
    assert captured.err == f"asr: {files[2]} lacks s0-00: all its words count as deleted\n"
    assert "over 8 speakers" in captured.out
    assert captured.out.count("REF: ") == 2
    report = json.loads(output.read_text())
    first, second = report["sets"]
    assert report["difference"] == pytest.approx(second["wer"] - first["wer"])
    assert report["bootstrap"]["low"] < report["difference"] < report["bootstrap"]["high"]
    assert report["missing"] == [[], ["s0-00"]]


@pytest.mark.parametrize("count", [1, 2, 12])
def test_few_utterances_prove_little(count, tmp_path, capsys):
    """All of them are better in B, each by one word."""
    for name, text in (("ref", "ONE TWO"), ("a", "ONE"), ("b", "ONE TWO")):
        lines = [f"{n} {text}\n" for n in range(count)]
        (tmp_path / f"{name}.txt").write_text("".join(lines))
    files = [str(tmp_path / f"{name}.txt") for name in ("ref", "a", "b")]
    assert cli.main(["compare", *files, "--json", str(tmp_path / "c.json")]) == 0
    shown = capsys.readouterr().out
    assert ("one utterance is too few" if count == 1 else "interval and p-value are rough") in shown
    report = json.loads((tmp_path / "c.json").read_text(), parse_constant=pytest.fail)
    drawn, matched = report["bootstrap"], report["matched_pairs"]
    # As often as that, coins all fall alike.
    assert drawn["p"] == matched["p"] == 0.5 ** (count - 1)
    ends = [None, None] if count == 1 else [-0.5, -0.5]
    assert [drawn["low"], drawn["high"]] == ends
    assert matched["z"] == (0.0 if count == 1 else None)


def test_without_words_there_is_nothing_to_compare():
    silent = evaluation("a", ["", ""], ["", "OH"])
    with pytest.raises(AsrError, match="the references have no words"):
        compare(silent, silent)
