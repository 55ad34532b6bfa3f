"""asr score on the test files that NIST publishes with sclite (github.com/usnistgov/SCTK).

They are no part of this project: set SCTK to a checkout. The numbers are those of sclite 2.10:
words, substitutions, deletions and insertions of each speaker.
"""

import json
import os
from pathlib import Path

import pytest

from asr.cli.main import main

FOLDER = Path(os.environ.get("SCTK", "nowhere"), "src")
if not FOLDER.is_dir():
    pytest.skip("SCTK does not name a checkout of SCTK", allow_module_level=True)

LVC = {
    "2347-a": (250, 60, 24, 44),
    "2347-b": (637, 175, 49, 54),
    "3129-a": (188, 53, 73, 42),
    "3129-b": (704, 252, 80, 31),
}
WITHOUT_IGNORED = {**LVC, "3129-b": (597, 215, 66, 25)}
SUITE = {
    **WITHOUT_IGNORED,
    "2347-b": (637, 175, 50, 55),
    "3129-a": (188, 54, 73, 43),
}
SHARED = {
    "f": (48, 0, 0, 1),
    "g": (20, 10, 0, 0),
    "h": (18, 0, 0, 2),
    "empty": (0, 0, 0, 13),
    "alt": (25, 0, 1, 1),
    "tags": (24, 8, 6, 6),
}
MARKED = {
    "": {"i": (34, 10, 8, 11), "od1": (21, 9, 6, 3), "od2": (50, 30, 20, 0), "od3": (26, 12, 7, 3)},
    "-D": {
        "i": (34, 10, 8, 11),
        "od1": (21, 7, 2, 3),
        "od2": (50, 30, 0, 0),
        "od3": (26, 11, 3, 3),
    },
    "-D -F": {
        "i": (34, 12, 1, 4),
        "od1": (21, 7, 2, 3),
        "od2": (50, 30, 0, 0),
        "od3": (26, 8, 3, 3),
    },
}


def by_speaker(tmp_path, reference, hypothesis, *options):
    output = tmp_path / "figures.json"
    files = [str(reference), str(hypothesis), "--json", str(output)]
    assert main(["score", *files, "--ignore-case", *options]) == 0
    (figures,) = json.loads(output.read_text())["sets"]
    names = ("words", "substitutions", "deletions", "insertions")
    return {g["name"]: tuple(g[name] for name in names) for g in figures["speakers"]}


@pytest.mark.parametrize(
    ("reference", "hypothesis", "expected"),
    [
        ("sclite/testdata/lvc_ref.stm", "sclite/testdata/lvc_hyp.ctm", LVC),
        ("sclite/testdata/lvc_refe.stm", "sclite/testdata/lvc_hyp.ctm", WITHOUT_IGNORED),
        ("test_suite/lvc_refe.stm", "test_suite/lvc_hyp.ctm", SUITE),
    ],
)
def test_conversations(tmp_path, reference, hypothesis, expected):
    assert by_speaker(tmp_path, FOLDER / reference, FOLDER / hypothesis) == expected


@pytest.mark.parametrize("options", MARKED)
def test_marked_texts(tmp_path, options):
    """The ids have - or _ behind the speaker; the case of the ids differs between the files."""
    files = []
    for name in ("ref", "hyp"):
        text = (FOLDER / "sclite" / "testdata" / f"tests.{name}").read_text(encoding="latin-1")
        lines = [line.strip() for line in text.split("\n") if line.strip()]
        kept = []
        for line in lines:
            if line.startswith(";;"):
                continue
            words, _, utterance = line.rpartition("(")
            kept.append(f"{words}({utterance.lower().replace('_', '-')}\n")
        files.append(tmp_path / f"{name}.trn")
        files[-1].write_text("".join(kept))
    found = by_speaker(tmp_path, *files, "--speakers", "id", *options.split())
    assert found == {**SHARED, **MARKED[options]}
