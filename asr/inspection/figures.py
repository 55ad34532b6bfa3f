"""Figures of gates and gradients as files, by matplotlib, from the extra ``inspect``."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from asr.audio.read import SAMPLE_RATE
from asr.errors import AsrError
from asr.features.log_mel import log_mel
from asr.features.mel import FRAMES_PER_SECOND
from asr.inspection.events import SILENCE
from asr.inspection.gates import GateInspection, LayerInspection
from asr.inspection.gradients import CLIP_NORM, Curve
from asr.inspection.trace import Array
from asr.runtime.files import atomic
from asr.tokenizers.tokenizer import BLANK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = {
    "forget": "#1f6fb5",
    "update": "#1f6fb5",
    "input": "#2a8a4a",
    "reset": "#2a8a4a",
    "output": "#c25a12",
}
_STATE = "#6a5acd"
_CYCLE = ("#1f6fb5", "#c25a12", "#2a8a4a", "#6a5acd", "#c2417c", "#0f9aa8", "#b08400", "#5d6773")
_QUIET, _LOUD = 0.05, 0.998  # quantiles of the energies where the colours saturate
_DOTS = 100  # an inch


def make_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches.

    Raises:
        AsrError: matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise AsrError(
            "pictures need matplotlib, which is not installed: pip install 'asr[inspect]'"
        ) from error
    return Figure(figsize=(width, height), layout="constrained")


def draw_gates(path: str | Path, inspection: GateInspection, layer: LayerInspection) -> None:
    """Draws log-mel, emissions, gates and states of one layer over time."""
    shown = layer.shown
    width = min(30.0, max(9.0, 2.2 * inspection.seconds))
    figure = make_figure(width, 2.6 + 1.5 * len(shown))
    heights = [1.5, 0.6, *([0.8, 0.6] * len(shown))]
    rows: Sequence[Axes] = figure.subplots(
        len(heights), 1, sharex=True, gridspec_kw={"height_ratios": heights}
    )
    memory = layer.memory
    remembers = (
        f"; half its units remember {_duration(memory.quantile(0.5))} or more" if memory else ""
    )
    figure.suptitle(
        f"{Path(inspection.audio).name}: layer {layer.number} of {len(inspection.layers)}, "
        f"{inspection.cell}{remembers}. Grey: silence",
        fontsize=10,
    )
    _mel(rows[0], inspection)
    _characters(rows[1], inspection)
    for index, unit in enumerate(shown):
        pair = rows[2 + 2 * index], rows[3 + 2 * index]
        _unit(*pair, layer, unit, legend=index == 0)
        for axes in pair:
            _shade(axes, inspection.events[SILENCE])
    rows[-1].set_xlabel("seconds")
    rows[-1].set_xlim(0.0, inspection.seconds)
    _save(figure, path)


def draw_gradients(path: str | Path, curves: Sequence[Curve]) -> None:
    """Draws norms against k, without and with clipping."""
    figure = make_figure(11.0, 4.6)
    plain, clipped = figure.subplots(1, 2, sharey=True)
    names = list(dict.fromkeys(curve.network for curve in curves))
    for axes, title in (
        (plain, "without clipping"),
        (clipped, f"with the gradient's norm clipped at {CLIP_NORM:g}"),
    ):
        for curve in curves:
            norms = curve.clipped if axes is clipped else curve.norms
            axes.semilogy(
                # Underflowed norms are not drawn and must not stretch the axis.
                np.where(norms > 0.0, norms, np.nan),
                color=_CYCLE[names.index(curve.network) % len(_CYCLE)],
                linestyle="--" if curve.weights == "trained" else "-",
                linewidth=1.4,
                label=curve.name,
            )
        axes.set_title(title, fontsize=10)
        axes.set_xlabel(f"k, frames of {1000 / FRAMES_PER_SECOND:.0f} ms before t")
        axes.grid(alpha=0.25)
    plain.set_ylabel("norm of d loss(t) / d x(t − k)")
    loudest = max(float(curve.norms.max()) for curve in curves)
    faintest = min(float(curve.clipped[0]) for curve in curves)  # where the lowest curve begins
    plain.set_ylim(min(loudest * 1e-16, faintest / 5), loudest * 5)
    plain.legend(fontsize=8)
    _save(figure, path)


def _mel(axes: Axes, inspection: GateInspection) -> None:
    from librosa.display import specshow  # needs matplotlib, which is optional

    mel = log_mel(torch.from_numpy(inspection.samples)).numpy().T
    quiet, loud = np.quantile(mel, [_QUIET, _LOUD])
    specshow(
        mel,
        x_coords=(np.arange(mel.shape[1]) + 0.5) / FRAMES_PER_SECOND,
        x_axis="s",
        y_axis="mel",
        sr=SAMPLE_RATE,
        ax=axes,
        cmap="inferno",
        vmin=quiet,
        vmax=loud,
        rasterized=True,  # vector formats would hold a polygon for each value
    )
    axes.set_xlabel("")  # the lowest row has it
    axes.set_ylabel("Hz", fontsize=8)
    axes.tick_params(labelsize=7)


def _characters(axes: Axes, inspection: GateInspection) -> None:
    """Draws the probability of the blank, and the units of the best path at their emissions."""
    probabilities = np.exp(inspection.log_probs)
    times = (np.arange(len(probabilities)) + 0.5) * inspection.seconds_per_frame
    axes.plot(times, probabilities[:, BLANK], color="0.7", linewidth=0.8)
    best = probabilities.argmax(axis=1)
    first = np.append(True, best[1:] != best[:-1]) & (best != BLANK)
    for frame in np.flatnonzero(first):
        unit = inspection.units[best[frame]].replace(" ", "␣")
        axes.text(times[frame], 0.5, unit, ha="center", va="center", fontsize=7, weight="bold")
    axes.set_ylim(-0.05, 1.05)
    axes.set_ylabel("blank", fontsize=8)
    axes.tick_params(labelsize=7)


def _unit(gates: Axes, state: Axes, layer: LayerInspection, unit: int, legend: bool) -> None:
    trace = layer.trace
    times = (np.arange(trace.frames) + 0.5) * trace.seconds_per_frame
    for name, values in trace.gates.items():
        gates.plot(times, values[:, unit], color=_COLOURS[name], linewidth=1.0, label=name)
    title = [f"unit {unit + 1} {trace.reads(unit)}"]
    if layer.memory is not None:
        title.append(f"remembers {_duration(float(layer.memory.milliseconds[unit]))}")
    follows = [f"{one.event} {one.correlations[unit]:+.2f}" for one in layer.correlations]
    title.append("follows " + ", ".join(follows).replace("-", "−"))
    gates.set_title("; ".join(title), fontsize=8, loc="left", pad=2)
    gates.set_ylim(-0.05, 1.05)
    gates.set_ylabel("gates", fontsize=8)
    gates.tick_params(labelsize=7)
    if legend and trace.gates:
        gates.legend(
            fontsize=7, loc="lower right", bbox_to_anchor=(1.0, 0.95), ncols=3, frameon=False
        )
    state.fill_between(times, trace.state[:, unit], color=_STATE, alpha=0.25)
    state.plot(times, trace.state[:, unit], color=_STATE, linewidth=1.0)
    state.axhline(0.0, color="0.6", linewidth=0.5)
    state.set_ylabel("state", fontsize=8)
    state.tick_params(labelsize=7)


def _shade(axes: Axes, event: Array) -> None:
    """Shades the times at which an event is present."""
    present = np.pad(event > 0.5, 1)
    edges = np.flatnonzero(present[1:] != present[:-1]) / FRAMES_PER_SECOND
    for start, end in edges.reshape(-1, 2):
        axes.axvspan(start, end, color="0.5", alpha=0.18, linewidth=0, zorder=0)


def _duration(milliseconds: float) -> str:
    """A duration, in seconds from 10 s on."""
    return f"{milliseconds:.0f} ms" if milliseconds < 10_000 else f"{milliseconds / 1000:.0f} s"


def _save(figure: Figure, path: str | Path) -> None:
    path = Path(path)
    with atomic(path) as temporary:
        if path.suffix == ".png":
            _save_png(figure, temporary)
        else:
            figure.savefig(temporary, format=path.suffix[1:], dpi=_DOTS)


def _save_png(figure: Figure, path: Path) -> None:
    """Saves with a palette, at a quarter of the size."""
    from PIL import Image  # installed with matplotlib, which is optional

    painted = io.BytesIO()
    figure.savefig(painted, format="png", dpi=_DOTS)
    colours = Image.open(painted).convert("RGB")
    colours.quantize(256, dither=Image.Dither.NONE).save(path, "PNG", optimize=True)
