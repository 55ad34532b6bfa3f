"""Machine code on disk: kept while its source is unchanged, compiled anew once that changes."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
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
    for name in ("jit.py", "source_cache.py", "source_digest.py"):
        shutil.copy(Path(asr.runtime.__file__).with_name(name), tmp_path / "asr" / "runtime")
    (tmp_path / "asr" / "called.py").write_text(CALLED)
    (tmp_path / "asr" / "part.py").write_text(PART)
    return tmp_path


def run(tree, limit=None):
    """What the function returns in a new process, and how often its code was on disk.

    Args:
        limit: bytes that a file may have.
    """
    code = RUN
    if limit is not None:
        code = f"import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); \
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit})); {RUN}"
    env = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA")}
    env |= {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    found = subprocess.run(
        [sys.executable, "-c", code], env=env, cwd=tree, check=True, capture_output=True, text=True
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


def kept(tree):
    return sorted((tree / "asr" / "__pycache__").glob("*.nb[ci]"))


def test_code_of_an_older_source_is_deleted(tree):
    run(tree)
    older = kept(tree)
    (tree / "asr" / "part.py").write_text(PART.replace("FACTOR = 6", "FACTOR = 8"))
    run(tree)
    assert len(kept(tree)) == len(older)
    assert not set(kept(tree)) & set(older)


@pytest.mark.parametrize("damage", [b"", b"no pickle", b"\x80\x04K\x01."])
@pytest.mark.parametrize("kind", [".nbc", ".nbi"])
def test_damaged_files_are_compiled_anew_and_replaced(tree, kind, damage):
    run(tree)
    (path,) = (path for path in kept(tree) if path.suffix == kind)
    path.write_bytes(damage)
    assert run(tree) == (3.0, 0)
    assert run(tree) == (3.0, 1)


def test_a_full_disk_keeps_nothing_and_stops_nobody(tree):
    """A file size limit refuses what is written, as a full disk does."""
    assert run(tree, limit=1) == (3.0, 0)
    assert run(tree) == (3.0, 0)
    assert run(tree) == (3.0, 1)


def test_two_processes_may_compile_at_once(tree):
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(run, [tree, tree])) == [(3.0, 0)] * 2
    assert run(tree) == (3.0, 1)


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
