"""A listening as one HTML page, with the pieces of the report on an evaluation."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from asr.evaluation.report import pictures, sound
from asr.evaluation.report.write import fill
from asr.inspection.events import Following
from asr.inspection.gates import Layer, Listening
from asr.inspection.memory import QUANTILES, Memory
from asr.inspection.trace import Array
from asr.runtime.files import write_text

Record = dict[str, Any]

_LISTED = 8  # units of each event
_BINS = np.geomspace(10.0, 1e5, 41)  # ms, ten to a decade


def write_page(path: str | Path, listening: Listening, model: str) -> None:
    """Writes the page; it needs no other file and no network.

    Args:
        path: of the HTML file.
        listening: what is shown.
        model: what the model is called.
    """
    name = Path(listening.audio).name
    data = {
        "audio": name,
        "model": model,
        "cell": listening.cell,
        "seconds": listening.seconds,
        "text": listening.text,
        "units": list(listening.units),
        "secondsPerFrame": listening.seconds_per_frame,
        "melRate": pictures.MEL_RATE,
        "words": [
            [word.text, _short(word.start), _short(word.end), _short(word.confidence)]
            for word in listening.words
        ],
        "bins": [_short(edge) for edge in _BINS],
        "layers": [_layer(layer) for layer in listening.layers],
        "utterances": [],  # a report's
    }
    (recording,) = sound.embed([listening.audio])
    blobs = {
        "picture": pictures.encode(listening.samples, listening.log_probs),
        "recording": recording,
    }
    report, own = files("asr.evaluation.report") / "page", files("asr.inspection") / "page"
    scripts = (report / "core.js", report / "detail.js", own / "gates.js")
    styles = (report / "style.css", own / "gates.css")
    page = fill(
        (own / "page.html").read_text(encoding="utf-8"),
        f"{name}: gates",
        data,
        blobs,
        "\n".join(style.read_text(encoding="utf-8") for style in styles),
        "\n".join(script.read_text(encoding="utf-8") for script in scripts),
    )
    write_text(path, page)


def _layer(layer: Layer) -> Record:
    trace, memory = layer.trace, layer.memory
    return {
        "number": trace.number,
        "frame": trace.seconds_per_frame,
        "size": trace.units,
        "memory": memory and _memory(memory),
        "follows": [_following(one) for one in layer.followings],
        "shown": [_unit(layer, unit) for unit in layer.shown],
    }


def _memory(memory: Memory) -> Record:
    within = memory.milliseconds.clip(_BINS[0], _BINS[-1])
    return {
        "counts": [int(count) for count in np.histogram(within, _BINS)[0]],
        "quantiles": [round(memory.quantile(part), 1) for part in QUANTILES],
    }


def _following(following: Following) -> Record:
    return {
        "event": following.event,
        "chance": _short(following.chance),
        "units": [
            [unit + 1, _short(following.correlations[unit])]
            for unit in following.strongest(_LISTED)
        ],
    }


def _unit(layer: Layer, unit: int) -> Record:
    trace = layer.trace
    return {
        "unit": unit + 1,
        "reads": trace.reads(unit),
        "remembers": layer.memory and round(float(layer.memory.milliseconds[unit])),
        "follows": {one.event: _short(one.correlations[unit]) for one in layer.followings},
        "gates": {name: _course(values[:, unit]) for name, values in trace.gates.items()},
        "state": _course(trace.state[:, unit]),
    }


def _course(values: Array) -> list[float]:
    return [_short(value) for value in values]


def _short(number: float) -> float:
    """Three digits behind the point, which no screen shows more of."""
    return round(float(number), 3)
