"""Real speech for all tests: the clips in the tree, and LibriSpeech where it is at hand."""

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
