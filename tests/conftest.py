"""Real speech for all tests: the clips in the tree, and LibriSpeech where it is at hand."""

from pathlib import Path

import pytest

from asr.manifest import read_manifest

LIBRIVOX = Path(__file__).parent / "data" / "librivox" / "librivox.jsonl"
LIBRISPEECH = Path(__file__).resolve().parents[2] / "shared" / "librispeech" / "LibriSpeech"


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
