"""asr inspect: what a model's memory does, how far gradients reach, what each layer costs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from asr.acoustic.checkpoint import load_model
from asr.acoustic.folder import DEFAULT_MODEL
from asr.audio.read import Samples, find_audio, load_audio
from asr.cli.messages import complain
from asr.config.choices import PICTURE_FORMATS
from asr.config.loading import load_recipe
from asr.corpora.manifest import read_manifest
from asr.errors import AsrError
from asr.inspection.cost import ModelCost, measure_cost, untrained_model
from asr.inspection.figures import draw_gates, draw_gradients, make_figure
from asr.inspection.gates import GateInspection, inspect_gates
from asr.inspection.gradients import (
    Curve,
    Network,
    WholeModel,
    cut_windows,
    is_long_enough,
    measure,
    single_layer,
    untrained,
    write_csv,
)
from asr.inspection.page import write_page
from asr.runtime.files import write_text
from asr.runtime.progress import track

_RECORDINGS = 16  # that gradients are measured on
_LISTED = 3  # units that follow an event


def gates(options: argparse.Namespace) -> int:
    """What the memory of a model does while it listens."""
    outputs = options.output or [Path(f"{options.audio.stem}.gates.html")]
    if any(path.suffix in PICTURE_FORMATS for path in outputs):
        make_figure(1, 1)  # before the work, to say at once if it can't be done
    inspection = inspect_gates(
        options.audio, load_model(options.model), options.layer, options.units
    )
    _print_gates(inspection, Console())
    drawn = next(layer for layer in inspection.layers if layer.shown)
    for path in outputs:
        if path.suffix == ".html":
            _write(path, lambda path: write_page(path, inspection, options.model or DEFAULT_MODEL))
        else:
            _write(path, lambda path: draw_gates(path, inspection, drawn))
    return 0


def gradients(options: argparse.Namespace) -> int:
    """The vanishing and the exploding gradient on real speech."""
    draws = options.output.suffix in PICTURE_FORMATS
    if draws:
        make_figure(1, 1)
    networks: list[tuple[str, str, Network]] = [
        (cell, "start", single_layer(cell, options.gain)) for cell in options.cells
    ]
    for name in options.model:
        checkpoint = load_model(name)
        fresh = untrained(checkpoint)
        networks.append((name, "start", WholeModel(fresh)))
        networks.append((name, "trained", WholeModel(checkpoint.model)))
    if not networks:
        raise AsrError("there is nothing to measure: name a cell by --cells, or a --model")
    signals, failed = _signals(options.data)
    curves = [
        Curve(name, weights, *measure(network, cut_windows(signals, network.bins)))
        for name, weights, network in track(networks, "measuring", len(networks))
    ]
    _print_curves(curves, Console())
    _write(options.output.with_suffix(".csv"), lambda path: write_csv(path, curves))
    if draws:
        _write(options.output, lambda path: draw_gradients(path, curves))
    return 1 if failed else 0


def cost(options: argparse.Namespace) -> int:
    """Parameters, multiply-accumulates and memory, layer by layer."""
    name = options.model
    if name is not None and Path(name).suffix in (".yaml", ".yml"):
        model = untrained_model(load_recipe(name, options.settings))
    elif options.settings:
        raise AsrError(f"{options.settings[0]} is for a recipe, but {name} is a model")
    else:
        model = load_model(name).model
    model_cost = measure_cost(model)
    _print_cost(model_cost, Console())
    if options.json:
        text = json.dumps(model_cost.to_json(), indent=2) + "\n"
        _write(options.json, lambda path: write_text(path, text))
    return 0


def _signals(arguments: Sequence[str]) -> tuple[list[Samples], bool]:
    """Some of the recordings that are long enough, and whether a file could not be read."""
    paths = list(_recordings(arguments))
    failed = False
    signals: list[Samples] = []
    for path in paths[:: max(1, len(paths) // _RECORDINGS)]:
        try:
            signal = load_audio(path)
        except AsrError as error:
            complain(error)
            failed = True
            continue
        if is_long_enough(signal):
            signals.append(signal)
        if len(signals) == _RECORDINGS:
            break
    if not signals:
        raise AsrError(
            f"no recording in {' '.join(arguments)} lasts the 5 s that are looked at; give longer "
            "ones"
        )
    return signals, failed


def _recordings(arguments: Sequence[str]) -> Iterator[Path]:
    for argument in arguments:
        path = Path(argument)
        if path.suffix == ".jsonl":
            yield from (Path(utterance.audio_filepath) for utterance in read_manifest(path))
        elif path.is_dir():
            yield from find_audio(path)
        else:
            yield path


def _print_gates(inspection: GateInspection, console: Console) -> None:
    console.print(inspection.text, markup=False, highlight=False, soft_wrap=True)
    table = _table("layer")
    for name in ("remembers\n10 % ms", "\nmedian ms", "\n90 % ms"):
        table.add_column(name, justify="right")
    events = [correlation.event for correlation in inspection.layers[0].correlations]
    for event in events:
        table.add_column(f"{event}:\nunit and correlation", no_wrap=True)
    for layer in inspection.layers:
        memory = layer.memory
        times = [f"{memory.quantile(q):.0f}" if memory else "-" for q in (0.1, 0.5, 0.9)]
        followers = [
            "\n".join(
                f"{unit + 1}{layer.trace.reads(unit)} {correlation.correlations[unit]:+.2f}"
                for unit in correlation.strongest(_LISTED)
            )
            + f"\nchance {correlation.chance:.2f}"
            for correlation in layer.correlations
        ]
        table.add_row(str(layer.number), *times, *followers, end_section=True)
    _print(table, console)


def _print_curves(curves: Sequence[Curve], console: Console) -> None:
    table = _table("network", "weights")
    for name in (
        "norm at\nk = 0",
        "k = 100",
        "k = 300",
        "below 1/1000\nat k =",
        "clipping\nscales by",
    ):
        table.add_column(name, justify="right")
    for curve in curves:
        reach = curve.reach()
        norms = [f"{curve.norms[k]:.1e}" for k in (0, 100, 300)]
        found = "never" if reach is None else str(reach)
        table.add_row(curve.network, curve.weights, *norms, found, f"{curve.scale:.3g}")
    _print(table, console)


def _print_cost(cost: ModelCost, console: Console) -> None:
    table = _table("layer")
    for name in ("parameters", "frames/s", "MMAC/s", "state\nbytes", "held\nbytes/s"):
        table.add_column(name, justify="right")
    total = cost.total
    for layer in (*cost.layers, total):
        if layer is total:
            table.add_section()
        table.add_row(
            layer.name,
            f"{layer.parameters:,}",
            f"{layer.rate:g}" if layer is not total else "",
            f"{layer.macs / 1e6:,.2f}",
            f"{layer.state:,}",
            f"{layer.held:,}",
        )
    _print(table, console)


def _table(*names: str) -> Table:
    return Table(*names, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))


def _print(table: Table, console: Console) -> None:
    # A file or a pipe has no width that the table would have to fit.
    (console if console.is_terminal else Console(width=120)).print(table, highlight=False)


def _write(path: Path, write: Callable[[Path], None]) -> None:
    write(path)
    print(f"{path} is written")
