"""Real speech for all tests: the clips in the tree, and LibriSpeech where it is at hand.

``pytest --references`` runs the tests that need more than the project and its packages, and fails
where one of them is skipped; scripts/test_references installs what they need.
"""

import inspect
from pathlib import Path

import pytest

from asr.corpora.manifest import read_manifest, write_manifest

LIBRIVOX = Path(__file__).parent / "data" / "librivox" / "librivox.jsonl"
LIBRISPEECH = Path(__file__).resolve().parents[2] / "shared" / "librispeech" / "LibriSpeech"
TINY_RECIPE = """
name: tiny
data:
  {{manifests: {folder}, cache: {folder}/cache, train: [clips], dev: [clips], dev_utterances: 1}}
model:
  front_end: {{channels: [4, 4]}}
  encoder: {{layers: 2, hidden: 12, dropout: 0.1}}
train: {{epochs: 2, batch_seconds: 8, checkpoint_every: 1, precision: float32}}
"""  # of eight steps


def pytest_addoption(parser):
    text = "only the tests that need other programs or corpora; a skipped one fails"
    parser.addoption("--references", action="store_true", help=text)
    text = "with --references: tests that lack a corpus of ../shared may be skipped"
    parser.addoption("--without-corpora", action="store_true", help=text)


def needs_reference(item):
    """Whether a test looks for something that may be missing: it is one that may be skipped."""
    source = inspect.getsource(item.function)
    return (
        "librispeech" in item.fixturenames
        or any(item.iter_markers("skipif"))
        or "pytest.importorskip(" in source
    )


def pytest_collection_modifyitems(config, items):
    if config.getoption("--references"):
        kept = [item for item in items if needs_reference(item)]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    report = (yield).get_result()
    if not (item.config.getoption("--references") and report.skipped) or hasattr(
        report, "wasxfail"
    ):
        return
    reason = report.longrepr[2]
    if not (item.config.getoption("--without-corpora") and "../shared" in reason):
        report.outcome = "failed"
        report.longrepr = f"may not be skipped here: {reason}"


@pytest.fixture(scope="session")
def librivox():
    """The five clips, as utterances with absolute paths."""
    return read_manifest(LIBRIVOX.resolve())


@pytest.fixture(scope="session")
def librispeech():
    """The folder of LibriSpeech's subsets."""
    if not LIBRISPEECH.is_dir():
        pytest.skip("../shared/librispeech is not there")
    return LIBRISPEECH


@pytest.fixture(scope="session")
def tiny_recipe(tmp_path_factory, librivox):
    """A tiny recipe on the two shortest clips, four times each; clips.jsonl stands beside it."""
    folder = tmp_path_factory.mktemp("tiny")
    write_manifest(folder / "clips.jsonl", [librivox[1], librivox[4]] * 4)
    (folder / "tiny.yaml").write_text(TINY_RECIPE.format(folder=folder))
    return folder / "tiny.yaml"
