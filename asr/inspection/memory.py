"""How long units remember, told from the gate that keeps their state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asr.inspection.trace import Array, LayerTrace

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)

_NEAREST = 1e-12  # to 0 and 1: a gate of exactly 1 would remember for ever


@dataclass(frozen=True)
class Memory:
    """Of the units of a layer, each over an utterance."""

    milliseconds: Array  # time constant of each unit, shape (units,)

    def quantile(self, fraction: float) -> float:
        """The time constant, in milliseconds, that this part of the units stays below."""
        return float(np.quantile(self.milliseconds, fraction))


def measure_memory(layer: LayerTrace) -> Memory | None:
    """The time constant of every unit of a layer.

    Between inputs a cell state decays by the forget gate, c_t = f_t * c_{t-1}: at a constant f, as
    exp(-t / tau) with

        tau = -T / ln f,

    T being the milliseconds from frame to frame. A unit's tau is the median over all frames, which
    is that of its median gate, since tau grows with f. For the GRU f is its update gate z, for
    coupled gates 1 - i.

    This is how long a unit would hold what it has by itself. What units tell each other through U
    can last longer.

    Returns:
        None of cells without such a gate.
    """
    kept = layer.kept
    if kept is None:
        return None
    typical = np.median(kept, axis=0).clip(_NEAREST, 1.0 - _NEAREST)
    return Memory(-1000.0 * layer.seconds_per_frame / np.log(typical))
