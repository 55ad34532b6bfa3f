"""scripts/ablate: variants of a recipe, trained, scored and set side by side."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "ablate"


def ablate(*arguments):
    command = [sys.executable, SCRIPT, *arguments]
    return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=300)


def rows(output):
    """The last table printed: the cells of each row by their columns."""
    lines = output.rsplit("\n\n", 1)[1].splitlines()
    header, _, *body = ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines)
    return [dict(zip(header, row, strict=True)) for row in body]


@pytest.mark.parametrize("jobs", [1, 2])
def test_each_variant_is_compared_with_the_recipe_as_it_stands(tiny_recipe, tmp_path, jobs):
    variants = ["GRU: model.encoder.cell=gru", "nothing else: train.epochs=1"]
    options = ["--settings", "train.epochs=1", "-o", tmp_path, "--jobs", jobs]
    done = ablate(tiny_recipe, *variants, *options)
    assert done.returncode == 0, done.stderr
    baseline, gru, same = rows(done.stdout)
    assert [row["variant"] for row in (baseline, gru, same)] == [
        "as it stands",
        "GRU",
        "nothing else",
    ]
    assert (baseline["change"], baseline["settings"]) == ("", "")
    assert gru["settings"] == "`model.encoder.cell=gru`"
    assert float(gru["M parameters"]) <= float(baseline["M parameters"])
    # The same seed and settings end at the same weights, whatever trains beside them.
    assert (same["WER"], same["CER"]) == (baseline["WER"], baseline["CER"])
    assert (same["change"], same["95 % interval"]) == ("+0.00", "+0.00 to +0.00")

    trained = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/state.pt")}
    assert len(trained) == 3
    again = ablate(tiny_recipe, *variants, *options)
    assert rows(again.stdout) == rows(done.stdout)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/state.pt")} == trained


@pytest.mark.parametrize(
    ("variant", "sentence"),
    [
        ("no colon", r"'no colon' is no variant; write 'name: section\.key=value \.\.\.'"),
        ("odd: model.encoder.cell=lasagne", r"cell.*lasagne"),
    ],
)
def test_a_wrong_variant_is_refused_before_anything_is_trained(
    variant, sentence, tiny_recipe, tmp_path
):
    failed = ablate(tiny_recipe, variant, "-o", tmp_path)
    assert failed.returncode == 1
    assert re.search(sentence, failed.stderr)
    assert "Traceback" not in failed.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_variant_that_can_not_be_trained_is_named(tiny_recipe, tmp_path, jobs):
    options = ["-o", tmp_path, "--settings", "train.epochs=1", "--jobs", jobs]
    failed = ablate(tiny_recipe, "no speech: data.train=[nothing]", *options)
    assert failed.returncode == 1
    logs = [log.read_text() for log in tmp_path.glob("no_speech.log")]
    assert "nothing.jsonl" in "".join([failed.stderr, *logs])
    assert "Traceback" not in "".join([failed.stderr, *logs])
    assert (tmp_path / "baseline" / "model").is_dir()
