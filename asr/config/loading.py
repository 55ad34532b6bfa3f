"""Reading settings: a recipe's YAML file with its stages, and key=value overrides."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from asr.config.keys import list_keys
from asr.config.schema import Recipe
from asr.config.section import Section
from asr.errors import AsrError
from asr.runtime.files import why_unreadable

SectionType = TypeVar("SectionType", bound=Section)


def load_recipe(path: str | Path, overrides: list[str] | None = None) -> Recipe:
    """Reads a recipe and applies ``section.key=value`` overrides, whose values are YAML.

    Overrides hold for the earlier stages too, except those that begin with ``before.``, which hold
    for these alone.

    Raises:
        AsrError: the file can't be read, or a key or a value is wrong; the error names the key,
            and the nearest known one.
    """
    return validate(Recipe, _read_stages(Path(path), overrides or []), f"the recipe {path}")


def apply_settings(section: type[SectionType], settings: Sequence[str], source: str) -> SectionType:
    """A section with ``key=value`` settings instead of its defaults.

    Args:
        source: where the settings stand, for errors.
    """
    given: dict[str, Any] = {}
    for setting in settings:
        _override(given, setting)
    return validate(section, given, source)


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Reads a YAML file that holds a mapping.

    Raises:
        AsrError: the file can't be read, is not YAML, or holds something else.
    """
    try:
        settings = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise AsrError(f"the file {path} {why_unreadable(error)}") from error
    except UnicodeDecodeError as error:
        raise AsrError(f"the file {path} is not UTF-8 text") from error
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise AsrError(f"the file {path} is not valid YAML: {problem}") from error
    if not isinstance(settings, dict):
        raise AsrError(f"the file {path} holds no settings (expected keys such as 'name:')")
    return settings


def validate(section: type[SectionType], settings: dict[str, Any], source: str) -> SectionType:
    """Checks ``settings`` against ``section``.

    Args:
        source: where the settings stand, for errors.

    Raises:
        AsrError: a key is unknown or missing, or a value is wrong.
    """
    try:
        return section.model_validate(settings)
    except ValidationError as error:
        raise AsrError("; ".join(_explain(section, e, source) for e in error.errors())) from error


def to_yaml(section: Section) -> str:
    """All settings of ``section``, defaults included, as YAML that can be read back."""
    return yaml.safe_dump(section.model_dump(mode="json"), sort_keys=False)


def _read_stages(path: Path, overrides: list[str], above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The settings of a recipe's file and of the stages before it, ``overrides`` applied.

    Args:
        above: the recipes that this one comes before.
    """
    if path in above:
        raise AsrError(f"the recipe {path} comes before itself; change a 'before:'")
    return _with_stages(read_yaml(path), overrides, (*above, path))


def _with_stages(
    settings: dict[str, Any], overrides: list[str], files: tuple[Path, ...]
) -> dict[str, Any]:
    """Applies ``overrides``, and gives the stage before the settings that it inherits."""
    of_before = [o.removeprefix("before.") for o in overrides if o.startswith("before.")]
    for override in overrides:
        if not override.startswith("before."):
            _override(settings, override)
    before = settings.pop("before", {} if of_before else None)
    if isinstance(before, str):
        general = [o for o in overrides if not o.startswith(("before", "output=", "name="))]
        stages = _read_stages(files[-1].parent / before, general + of_before, files)
        return {**settings, "before": stages}
    if not isinstance(before, dict):
        return settings if before is None else {**settings, "before": before}
    general = [o for o in overrides if not o.startswith(("before", "output="))]
    output = settings.get("output", Recipe.model_fields["output"].default)
    inherited = _merged({**settings, "output": f"{output}/before"}, before)
    return {**settings, "before": _with_stages(inherited, general + of_before, files)}


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """``base`` with the settings of ``changes`` in place of its own, section by section."""
    merged = copy.deepcopy(base)
    for key, value in changes.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            merged[key] = _merged(old, value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def _override(settings: dict[str, Any], override: str) -> None:
    """Sets one ``section.key=value`` in place."""
    name, equals, value = override.partition("=")
    if not equals or not name:
        raise AsrError(f"{override!r} is no setting; write section.key=value")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise AsrError(f"the value in {override!r} is not valid YAML") from error
    *sections, key = name.split(".")
    for section in sections:
        settings = settings.setdefault(section, {})
        if not isinstance(settings, dict):
            raise AsrError(f"{override!r} goes below the key {section}, which holds a single value")
    settings[key] = parsed


def _explain(section: type[Section], error: ErrorDetails, source: str) -> str:
    """One validation error as a sentence."""
    path = [str(part) for part in error["loc"]]
    key = ".".join(path)
    if error["type"] == "extra_forbidden":
        known = [key.name for key in list_keys(section)]
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.4) or [
            name for name in known if name.split(".")[-1] == path[-1]
        ]
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"{source} has an unknown key {key}{hint}"
    if error["type"] == "missing":
        return f"{source} lacks the key {key}"
    message = error["msg"][0].lower() + error["msg"][1:]
    if isinstance(error["input"], dict):  # a section that does not go with another one
        return f"{source} has a wrong section {key}: {message.removeprefix('value error, ')}"
    return f"{source} has a wrong value for {key}: {error['input']!r} ({message})"
