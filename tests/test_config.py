from pathlib import Path

import pytest
import yaml

from asr.cli.main import main
from asr.config.keys import list_keys
from asr.config.loading import load_recipe, to_yaml, validate
from asr.config.schema import ModelConfig, Recipe
from asr.errors import AsrError

MINIMAL = "name: tiny\ndata: {train: [a], dev: [b]}\n"
RECIPES = sorted((Path(__file__).parents[1] / "recipes").glob("*.yaml"))


@pytest.fixture
def recipe_path(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(MINIMAL)
    return path


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_recipes_of_the_project_are_valid(path):
    assert load_recipe(path).name == path.stem


def test_settings_replace_those_of_the_file(recipe_path):
    recipe = load_recipe(
        recipe_path, ["train.epochs=3", "model.encoder.cell=gru", "data.train=[x, y]"]
    )
    assert recipe.train.epochs == 3
    assert recipe.model.encoder.cell == "gru"
    assert recipe.data.train == ("x", "y")
    assert recipe.folder == Path("runs/tiny")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("train.epoch=3", "unknown key train.epoch; did you mean train.epochs"),
        ("epochs=3", "unknown key epochs; did you mean train.epochs"),
        ("model.encoder.hiden=3", "did you mean model.encoder.hidden"),
        ("train.epochs=many", "wrong value for train.epochs: 'many'"),
        ("train.epochs=0", "wrong value for train.epochs: 0"),
        ("model.encoder.stack_after=4", "model.encoder.stack_after: 4 (value error, no layer is"),
        ("model.encoder.dropout=1.5", "wrong value for model.encoder.dropout: 1.5"),
        ("train", "is no setting; write section.key=value"),
        ("name.first=x", "which holds a single value"),
        ("seed=[", "is not valid YAML"),
    ],
)
def test_wrong_settings_are_named(recipe_path, setting, message):
    with pytest.raises(AsrError) as caught:
        load_recipe(recipe_path, [setting])
    assert message in str(caught.value)


def test_a_denominator_needs_its_head(recipe_path):
    settings = ["train.denominator_weight=1", "train.denominator_head=intermediate"]
    assert load_recipe(recipe_path, [*settings, "model.intermediate_layer=1"])
    with pytest.raises(AsrError, match="wrong section train: its denominator_head is intermediate"):
        load_recipe(recipe_path, [*settings, "model.intermediate_layer=0"])


def test_a_stage_inherits_what_it_does_not_set(recipe_path):
    recipe_path.write_text(
        MINIMAL
        + """
train: {epochs: 5, peak_rate: 1e-4}
before:
  train: {epochs: 3}
  before: {model: {emissions: 2}, seed: 7}
"""
    )
    recipe = load_recipe(recipe_path, ["train.weight_decay=0", "before.before.train.epochs=1"])
    second = recipe.before
    first = second.before
    assert [r.train.epochs for r in (recipe, second, first)] == [5, 3, 1]
    assert {r.train.peak_rate for r in (recipe, second, first)} == {1e-4}
    assert {r.train.weight_decay for r in (recipe, second, first)} == {0.0}
    assert [r.model.emissions for r in (recipe, second, first)] == [1, 1, 2]
    assert first.seed == 7
    assert first.before is None
    assert first.folder == Path("runs/tiny/before/before")
    with pytest.raises(AsrError, match=r"wrong value for before: 3"):
        load_recipe(recipe_path, ["before=3"])
    with pytest.raises(AsrError, match=r"unknown key before.train.epoch; did you mean"):
        load_recipe(recipe_path, ["before.train.epoch=3"])


def test_the_stage_before_may_be_another_recipe(tmp_path, recipe_path):
    recipe_path.write_text(MINIMAL)
    second = tmp_path / "second.yaml"
    second.write_text(f"{MINIMAL.replace('tiny', 'second')}before: {recipe_path.name}\nseed: 7\n")
    recipe = load_recipe(second, ["name=mine", "train.epochs=5", "before.train.epochs=3"])
    assert recipe.before == load_recipe(recipe_path, ["train.epochs=3"])
    assert (recipe.name, recipe.seed, recipe.train.epochs) == ("mine", 7, 5)
    recipe_path.write_text(f"{MINIMAL}before: second.yaml\n")
    with pytest.raises(AsrError, match=r"second.yaml comes before itself"):
        load_recipe(second)
    recipe_path.unlink()
    with pytest.raises(AsrError, match=rf"{recipe_path.name} does not exist"):
        load_recipe(second)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("data: {train: [a], dev: [b]}", "lacks the key name"),
        ("name: a\n  b: c", "not valid YAML"),
        ("- a\n- b", "holds no settings"),
        ("", "holds no settings"),
    ],
)
def test_wrong_files_are_named(tmp_path, content, message):
    path = tmp_path / "recipe.yaml"
    path.write_text(content)
    with pytest.raises(AsrError, match=message) as caught:
        load_recipe(path)
    assert str(path) in str(caught.value)


def test_a_written_recipe_can_be_read_back(tmp_path, recipe_path):
    recipe = load_recipe(recipe_path, ["model.encoder.layers=2"])
    written = tmp_path / "written.yaml"
    written.write_text(to_yaml(recipe))
    assert load_recipe(written) == recipe
    settings = recipe.model.model_dump(mode="json")
    assert validate(ModelConfig, settings, "here") == recipe.model


def test_every_key_is_listed_with_its_meaning(capsys):
    keys = {key.name: key for key in list_keys(Recipe)}
    assert all(key.meaning.endswith(".") for key in keys.values())
    assert {"name", "data.train", "train.peak_rate", "speller.augment.noise"} <= keys.keys()
    assert keys["train.warm_up"].default == "0.1"
    assert keys["speller.warm_up"].default == keys["lm.recurrent.warm_up"].default == "0.05"
    assert (keys["data.max_seconds"].default, keys["data.max_seconds"].unit) == ("36.0", "s")
    assert keys["data.train"].default == ""
    assert main(["recipe", "keys"]) == 0
    printed = capsys.readouterr().out
    rows = [line.split()[0] for line in printed.splitlines()[1:]]
    assert rows == list(keys)
    for key in keys.values():
        assert key.meaning in printed
    assert main(["recipe", "keys", "model.encoder"]) == 0
    assert capsys.readouterr().out.count("model.encoder.") == 8
    assert main(["recipe", "keys", "modle"]) == 1
    assert "recipes have no key modle" in capsys.readouterr().err


def leaves(settings, prefix=""):
    """The names of all settings that hold a value, of a recipe as plain data."""
    for name, value in settings.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_shown_with_all_its_settings(path, tmp_path, capsys):
    assert main(["recipe", "show", str(path), "train.epochs=3"]) == 0
    shown = tmp_path / "shown.yaml"
    shown.write_text(capsys.readouterr().out)
    assert load_recipe(shown) == load_recipe(path, ["train.epochs=3"])
    settings = yaml.safe_load(shown.read_text())
    settings["before"] = None
    settings["data"] |= dict.fromkeys(("corpora", "tables", "tune"))
    assert set(leaves(settings)) <= {key.name for key in list_keys(Recipe)}
