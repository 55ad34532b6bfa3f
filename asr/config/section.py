"""What sections of settings are made of: their base class, the types and units of settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


@dataclass(frozen=True)
class Unit:
    """The unit that a setting is given in."""

    name: str


Positive = Annotated[int, Field(gt=0)]
Natural = Annotated[int, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]
Dropout = Annotated[float, Field(ge=0, lt=1)]
Seconds = Annotated[float, Field(gt=0), Unit("s")]
Steps = Annotated[Positive, Unit("steps")]
Epochs = Annotated[Positive, Unit("epochs")]
Layer = Annotated[Natural, Unit("layer from 1")]
Channels = Annotated[Positive, Unit("channels")]


class Section(BaseModel):
    """A group of settings: immutable, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")
