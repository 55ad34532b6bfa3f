"""Machine code on disk: kept while its source is unchanged, compiled anew once that changes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import asr.runtime
from asr.runtime.source_digest import imported_modules

CALLED = """
from asr.part import FACTOR, half
from asr.runtime.jit import compiled


@compiled
def scaled(x):
    return half(FACTOR * x)
"""
PART = """
from asr.runtime.jit import inner

FACTOR = 6


@inner
def half(x):
    return x / 2
"""
RUN = "from asr.called import scaled; print(scaled(1.0), len(scaled.stats.cache_hits))"


@pytest.fixture
def tree(tmp_path):
    """A package named asr with the compile decorators, a compiled function and its part."""
    (tmp_path / "asr" / "runtime").mkdir(parents=True)
    for path in ("__init__.py", "runtime/__init__.py"):
        (tmp_path / "asr" / path).touch()
    for name in ("jit.py", "source_digest.py"):
        shutil.copy(Path(asr.runtime.__file__).with_name(name), tmp_path / "asr" / "runtime")
    (tmp_path / "asr" / "called.py").write_text(CALLED)
    (tmp_path / "asr" / "part.py").write_text(PART)
    return tmp_path


def run(tree):
    """What the function returns in a new process, and how often its code was on disk."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA")}
    env |= {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    found = subprocess.run(
        [sys.executable, "-c", RUN], env=env, cwd=tree, check=True, capture_output=True, text=True
    )
    value, hits = found.stdout.split()
    return float(value), int(hits)


def test_code_is_kept_until_a_constant_or_a_function_of_another_module_changes(tree):
    assert run(tree) == (3.0, 0)
    assert run(tree) == (3.0, 1)
    part = tree / "asr" / "part.py"
    part.write_text(PART.replace("FACTOR = 6", "FACTOR = 8"))
    assert run(tree) == (4.0, 0)
    assert run(tree) == (4.0, 1)
    part.write_text(PART.replace("x / 2", "x / 4"))
    assert run(tree) == (1.5, 0)
    (tree / "asr" / "unrelated.py").write_text("FACTOR = 1\n")
    assert run(tree) == (1.5, 1)


def test_every_module_that_a_compiled_one_imports_counts():
    found = imported_modules("asr.decoding.search.frames")
    assert found >= {
        "asr.decoding.search.frames",
        "asr.decoding.search.hash_tables",
        "asr.decoding.search.pruning",
        "asr.decoding.search.records",
        "asr.decoding.search.transitions",
        "asr.decoding.search.word_ends",
        "asr.ngram.lookup",
        "asr.runtime.jit",
    }
    assert "asr.decoding.beam" not in found
