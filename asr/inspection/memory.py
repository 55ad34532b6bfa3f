"""Time constants of units, from the gate that keeps their state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from asr.inspection.trace import Array, LayerTrace

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
HISTOGRAM_EDGES = np.geomspace(10.0, 1e5, 41)  # ms, ten to a decade

_NEAREST = 1e-12  # to 0 and 1: a gate of exactly 1 would never forget


@dataclass(frozen=True)
class Memory:
    """Time constants of a layer's units over an utterance."""

    milliseconds: Array  # time constant of each unit, shape (units,)

    def quantile(self, fraction: float) -> float:
        """The quantile of the time constants in milliseconds."""
        return float(np.quantile(self.milliseconds, fraction))

    def to_json(self) -> dict[str, Any]:
        """A histogram over :data:`HISTOGRAM_EDGES`, and the :data:`QUANTILES`."""
        within = self.milliseconds.clip(HISTOGRAM_EDGES[0], HISTOGRAM_EDGES[-1])
        return {
            "counts": [int(count) for count in np.histogram(within, HISTOGRAM_EDGES)[0]],
            "quantiles": [round(self.quantile(part), 1) for part in QUANTILES],
        }


def measure_memory(layer: LayerTrace) -> Memory | None:
    """The time constant of every unit of a layer.

    Between inputs a cell state decays by the forget gate, c_t = f_t * c_{t-1}: at a constant f, as
    exp(-t / tau) with

        tau = -T / ln f,

    T being the milliseconds from frame to frame. A unit's tau is the median over frames, which is
    that of its median gate, since tau grows with f. For the GRU f is the update gate z, for coupled
    gates 1 - i.

    Tau describes a unit alone. Information that units exchange through U can last longer.

    Returns:
        None for cells without such a gate.
    """
    kept = layer.kept
    if kept is None:
        return None
    typical = np.median(kept, axis=0).clip(_NEAREST, 1.0 - _NEAREST)
    return Memory(-1000.0 * layer.seconds_per_frame / np.log(typical))
