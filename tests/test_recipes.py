"""Every recipe, cut down to a few steps on the bundled clips."""

from pathlib import Path

import pytest

from asr.acoustic.checkpoint import load_model
from asr.acoustic.folder import open_model
from asr.config.loading import load_recipe
from asr.corpora.manifest import write_manifest
from asr.training.acoustic import train

RECIPES = sorted((Path(__file__).resolve().parents[1] / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_trains(path, tmp_path, librivox, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where the runs are kept
    manifest = tmp_path / "clips.jsonl"
    write_manifest(manifest, librivox)
    data = [f"data.{part}=[{manifest}]" for part in ("train", "dev", "test")]
    recipe = load_recipe(
        path,
        [
            *data,
            "data.tables={}",
            "data.corpora={}",
            "init_from=null",  # a run that is not there
            "data.tune={}",
            "units.size=40",  # the clips don't have more pairs
            "model.encoder.hidden=32",
            "train.epochs=1",
            "train.batch_seconds=20",
            "train.device=cpu",
        ],
    )
    assert recipe.name == path.stem
    folder = open_model(train(recipe))
    assert folder.config == recipe.model
    assert folder.tokenizer_of(recipe.lm.head).kind
    assert load_model(folder.path).model.config == recipe.model
