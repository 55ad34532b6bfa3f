"""The versions that the project names, and the scripts that install them."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

PROJECT = Path(__file__).resolve().parents[1]
SETTINGS = tomllib.loads((PROJECT / "pyproject.toml").read_text())
GROUPS = SETTINGS["project"]["optional-dependencies"]
REQUIREMENTS = [
    Requirement(text)
    for text in sorted({*chain(SETTINGS["project"]["dependencies"], *GROUPS.values())})
    if not text.startswith("asr[")
]
SCRIPTS = sorted(
    str(path.relative_to(PROJECT))
    for path in (PROJECT / "scripts").iterdir()
    if path.is_file() and path.read_text().startswith("#!/usr/bin/env python3")
)


def pinned(lines):
    """Versions by package, of pip's constraints."""
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


@pytest.fixture
def project(tmp_path):
    """The scripts beside an environment that counts as installed: this interpreter's."""
    shutil.copytree(PROJECT / "scripts", tmp_path / "scripts")
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    for name in (".venv", ".venv-lowest"):
        (tmp_path / name / "bin").mkdir(parents=True)
        for program in ("python", "pytest"):
            (tmp_path / name / "bin" / program).symlink_to(Path(sys.executable).with_name(program))
    source = f'source "{tmp_path}/scripts/environment"; fingerprint'
    stamp = subprocess.run(["bash", "-c", source], capture_output=True, text=True, check=True)
    (tmp_path / ".venv" / ".installed-dev").write_text(stamp.stdout)
    (tmp_path / ".venv-lowest" / ".installed-test").write_text(stamp.stdout)
    return tmp_path


def run(project, *arguments):
    command = ["bash", project / "scripts" / "test", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda requirement: requirement.name)
def test_a_dependency_has_a_floor(requirement):
    operators = {part.operator for part in requirement.specifier}
    assert operators & {">=", "=="}


def test_the_tested_versions_lie_within_the_ranges():
    versions = pinned((PROJECT / "scripts" / "constraints.txt").read_text().splitlines())
    benchmarks = {Requirement(text).name for text in GROUPS["benchmarks"]} - {"kenlm"}
    for requirement in REQUIREMENTS:
        if requirement.name not in benchmarks:
            assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)])


def test_the_floors_are_those_of_the_project():
    done = subprocess.run(
        [sys.executable, PROJECT / "scripts" / "floors"], capture_output=True, text=True, check=True
    )
    floors = pinned(done.stdout.splitlines())
    assert floors.keys() == {canonicalize_name(requirement.name) for requirement in REQUIREMENTS}
    for requirement in REQUIREMENTS:
        floor = floors[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(floor)
        below = Version(f"{floor}.dev0")
        assert not requirement.specifier.contains(below, prereleases=True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--newst"], "pytest takes no such options: unrecognized arguments: --newst"),
        (["--avx2", "--newst"], "pytest takes no such options: unrecognized arguments: --newst"),
        (["--newest", "--lowest"], "--newest and --lowest are two runs; choose one of them"),
    ],
)
def test_a_wrong_option_is_one_sentence(arguments, sentence, project):
    done = run(project, *arguments)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"scripts/test: {sentence}")


def test_avx2_holds_every_library_to_it(project):
    (project / "tests").mkdir()
    (project / "tests" / "test_held.py").write_text(
        """import os

def test_environment():
    names = ("ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES")
    assert [os.environ[name] for name in names] == ["AVX2", "avx2", "x86-64-v3", ""]
"""
    )
    done = run(project, "--lowest", "--avx2")
    assert done.returncode == 0, done.stdout
    assert "== pytest, lowest versions, AVX2" in done.stdout
    assert "1 passed" in done.stdout


def test_help_names_every_option():
    done = run(PROJECT, "--help")
    assert done.returncode == 0
    assert re.findall(r"scripts/test (--\w+)", done.stdout) == ["--newest", "--lowest", "--avx2"]


def test_every_script_is_linted_and_typed():
    for listed in (SETTINGS["tool"]["ruff"]["extend-include"], SETTINGS["tool"]["mypy"]["files"]):
        found = {str(p.relative_to(PROJECT)) for name in listed for p in PROJECT.glob(name)}
        assert [name for name in SCRIPTS if name not in found] == []
    assert all(os.access(PROJECT / name, os.X_OK) for name in SCRIPTS)


@pytest.mark.parametrize(
    ("options", "outcome"),
    [
        (["--references"], "1 passed, 1 deselected, 2 errors"),
        (["--references", "--without-corpora"], "1 passed, 1 skipped, 1 deselected, 1 error"),
        ([], "2 passed, 2 skipped"),
    ],
)
def test_a_reference_may_not_be_missing(options, outcome, tmp_path):
    shutil.copy(PROJECT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_some.py").write_text(
        """import pytest

@pytest.mark.skipif(True, reason="sclite is not there")
def test_of_a_program(): pass

@pytest.mark.skipif(False, reason="sclite is not there")
def test_of_a_program_that_is_there(): pass

def test_of_a_corpus(librispeech): pass

def test_of_nothing_else(): pass
"""
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert f" {outcome} in" in done.stdout
    assert done.returncode == ("error" in outcome)
    if "error" in outcome:
        assert "may not be skipped here: Skipped: sclite is not there" in done.stdout
