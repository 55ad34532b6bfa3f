"""The keys of a section and of all sections below it, with default, unit and meaning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

import yaml
from pydantic.fields import FieldInfo

from asr.config.section import Section, Unit


@dataclass(frozen=True)
class Key:
    """One setting."""

    name: str  # section.key, as on the command line
    default: str  # as YAML; empty where the key is required
    unit: str  # empty for a pure number, a choice or a name
    meaning: str


def list_keys(section: type[Section], prefix: str = "") -> Iterator[Key]:
    """All keys of ``section``, depth first; a section within itself is not entered again."""
    for name, field in section.model_fields.items():
        below = _section_of(field)
        if below and field.description is None:
            yield from list_keys(below, f"{prefix}{name}.")
            continue
        default = "" if field.is_required() else _as_yaml(field.get_default())
        units = [part.name for part in field.metadata if isinstance(part, Unit)]
        yield Key(prefix + name, default, units[0] if units else "", field.description or "")
        if below and below is not section:
            yield from list_keys(below, f"{prefix}{name}.")


def _section_of(field: FieldInfo) -> type[Section] | None:
    """The section that a field holds, or may hold."""
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, Section):
            return kind
    return None


def _as_yaml(value: Any) -> str:
    if isinstance(value, tuple):
        value = list(value)
    return yaml.safe_dump([value], default_flow_style=True, width=1000).strip()[1:-1]
