"""NIST's sclite reads what we write for it and counts what we count."""

import os
import re
import shutil
import subprocess

import pytest
from test_score import noisy

from asr.cli import main as cli
from asr.errors import AsrError
from asr.scoring.error_rates import score
from asr.scoring.pairing import Paired
from asr.scoring.results import Evaluation, score_pairs
from asr.scoring.sclite import write_sclite
from asr.scoring.transcripts import UtteranceText
from asr.transcript import Word

SCLITE = shutil.which("sclite", path=f"{os.environ.get('PATH', '')}:/usr/lib/sctk/bin")
needs_sclite = pytest.mark.skipif(not SCLITE, reason="sclite (Debian's sctk) is not there")


def sclite(*arguments):
    """Utterances, words, substitutions, deletions, insertions."""
    command = [SCLITE, *map(str, arguments), "-o", "rsum", "stdout"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    (row,) = [line for line in shown.splitlines() if re.match(r"\s*\|\s*Sum\s", line)]
    utterances, words, _, *errors = map(int, re.findall(r"\d+", row.split("|", 2)[2])[:6])
    return utterances, words, *errors


def ours(result):
    words = result.words
    return (
        result.utterances,
        words.reference,
        words.substitutions,
        words.deletions,
        words.insertions,
    )


@needs_sclite
@pytest.mark.parametrize("rate", [0.1, 0.35])
def test_trn_files_give_the_same_counts(tmp_path, rate):
    references, hypotheses = noisy(300, rate)
    references[7] = hypotheses[9] = ""
    for name, texts in (("ref", references), ("hyp", hypotheses)):
        lines = [f"s{n % 9}-{n:03} {text}\n" for n, text in enumerate(texts)]
        (tmp_path / f"{name}.txt").write_text("".join(lines))
    files = [tmp_path / "ref.txt", tmp_path / "hyp.txt"]
    assert cli.main(["score", *map(str, files), "--sclite", str(tmp_path / "nist")]) == 0
    made = [tmp_path / "nist" / f"hyp.{kind}.trn" for kind in ("ref", "hyp")]
    counts = sclite("-r", made[0], "-h", made[1], "-i", "spu_id")
    assert counts == ours(score(references, hypotheses))


def timed(references, hypotheses):
    """An evaluation whose words last half a second each."""
    names = [f"s{n % 3}-{n:02}" for n in range(len(references))]
    said = [
        UtteranceText(name, text, name[:2], 0.5 * (1 + max(len(text.split()), len(heard.split()))))
        for name, text, heard in zip(names, references, hypotheses, strict=True)
    ]
    words = [
        [Word(word, 0.5 * n, 0.5 * n + 0.4, 0.9) for n, word in enumerate(heard.split())]
        for heard in hypotheses
    ]
    return Evaluation("timed", score(references, hypotheses), said, hypotheses, words)


@needs_sclite
def test_stm_and_ctm_files_give_the_same_counts(tmp_path):
    references, hypotheses = noisy(60, 0.3)
    hypotheses[9] = ""
    evaluation = timed(references, hypotheses)
    write_sclite(tmp_path, evaluation)
    counts = sclite("-r", tmp_path / "timed.stm", "stm", "-h", tmp_path / "timed.ctm", "ctm")
    assert counts == ours(evaluation.score)


def test_without_times_there_are_trn_files_alone(tmp_path):
    said = [UtteranceText("a", "ONE TWO"), UtteranceText("b", "")]
    files = write_sclite(tmp_path, score_pairs("h", Paired(said, ["ONE", ""], [], [])))
    assert [path.name for path in files] == ["h.ref.trn", "h.hyp.trn"]
    assert [path.read_text() for path in files] == ["ONE TWO (a)\n(b)\n", "ONE (a)\n(b)\n"]


def test_a_speaker_is_one_word_of_an_stm_file(tmp_path):
    said = [UtteranceText("a", "ONE", "Jane Austen", 1.0), UtteranceText("b", "", " ", 1.0)]
    heard = ["ONE", ""]
    words = [[Word("ONE", 0.1, 0.5, 0.9)], []]
    texts = [utterance.text for utterance in said]
    write_sclite(tmp_path, Evaluation("h", score(texts, heard), said, heard, words))
    assert (tmp_path / "h.stm").read_text() == (
        "a 1 Jane_Austen 0.000 1.000 ONE\nb 1 unknown 0.000 1.000\n"
    )


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a b", "ONE", "no utterance id with spaces or parentheses, such as 'a b'"),
        ("a", "ONE {TWO / THREE}", "sclite would not read { in the text of a"),
    ],
)
def test_what_sclite_would_misread_is_refused(tmp_path, name, text, message):
    paired = Paired([UtteranceText(name, text)], ["ONE"], [], [])
    with pytest.raises(AsrError, match=re.escape(message)):
        write_sclite(tmp_path, score_pairs("h", paired))
    assert list(tmp_path.iterdir()) == []
