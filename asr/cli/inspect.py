"""asr inspect: what a model's memory does, how far gradients reach, what each layer costs."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from asr.cli.options import Groups, complain
from asr.errors import AsrError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from asr.audio.read import Samples
    from asr.inspection.cost import LayerCost
    from asr.inspection.gates import Listening
    from asr.inspection.gradients import Curve

PICTURES = (".png", ".svg", ".pdf")

_RECORDINGS = 16  # that gradients are measured on
_LISTED = 3  # units that follow an event


def add(groups: Groups) -> None:
    """Its options."""
    inspect = groups.add_parser(
        "inspect",
        help="look inside: gates, gradients, costs",
        epilog="Example: asr inspect gates speech.wav -o gates.html",
    )
    actions = inspect.add_subparsers(required=True, metavar="ACTION")
    _add_gates(actions)
    _add_gradients(actions)
    _add_cost(actions)


def _add_gates(actions: Groups) -> None:
    gates = actions.add_parser(
        "gates",
        help="what the memory of a model does while it listens",
        description="Draw gates and cell states of a model's units over an utterance, below its "
        "log-mel picture and the characters recognised, and tell for each layer how long it "
        "remembers and which units follow silence, voicing and the boundaries of words.",
        epilog="Example: asr inspect gates speech.wav --layer 2 --units 3,17 -o gates.html",
    )
    gates.add_argument("audio", type=Path, help="a recording of at most 36 s")
    gates.add_argument(
        "--model", metavar="NAME_OR_DIR", help="a model's folder or a bundled model's name"
    )
    gates.add_argument(
        "--layer",
        type=int,
        metavar="N",
        help="draw this layer, counted from 1 (default: all; in a picture, the first)",
    )
    gates.add_argument(
        "--units",
        type=_numbers,
        default=[],
        metavar="N,N,...",
        help="of that layer, counted from 1: those that read from left to right, then those from "
        "right to left (default: the best followers, and the one that remembers longest)",
    )
    gates.add_argument(
        "-o",
        "--output",
        type=_file((".html", *PICTURES)),
        action="append",
        metavar="FILE",
        help="an .html page, or a picture (.png, .svg, .pdf); may be given for each (default: "
        "AUDIO's name with .gates.html)",
    )
    gates.set_defaults(run=_gates)


def _add_gradients(actions: Groups) -> None:
    gradients = actions.add_parser(
        "gradients",
        help="the vanishing and the exploding gradient on real speech",
        description="Measure the norm of the gradient of the loss at frame t with respect to the "
        "input at t - k, for k up to 300 frames of 10 ms: for one layer of each cell at the start "
        "of training, and for whole models before and after theirs. A picture and a CSV file are "
        "written, without and with clipping.",
        epilog="Example: asr inspect gradients --cells rnn,gru,lstm dev-clean.jsonl -o reach.png",
    )
    gradients.add_argument(
        "data", nargs="+", metavar="DATA", help="manifests (.jsonl), audio files, folders"
    )
    gradients.add_argument(
        "--cells",
        type=lambda text: [name.strip() for name in text.split(",") if name.strip()],
        default=["rnn", "gru", "lstm"],
        metavar="CELL,CELL,...",
        help="as recipes name them (default: rnn,gru,lstm)",
    )
    gradients.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME_OR_DIR",
        help="a model to measure before and after its training; may be given several times",
    )
    gradients.add_argument(
        "--gain",
        type=_positive_number,
        default=1.0,
        metavar="G",
        help="multiply the cells' recurrent weights by this: at 1 they shrink what passes them, "
        "at 3 they can make it explode",
    )
    gradients.add_argument(
        "-o",
        "--output",
        type=_file((*PICTURES, ".csv")),
        default=Path("gradients.png"),
        metavar="FILE",
        help="a picture, and beside it a .csv; or the .csv alone (default: gradients.png)",
    )
    gradients.set_defaults(run=_gradients)


def _add_cost(actions: Groups) -> None:
    cost = actions.add_parser(
        "cost",
        help="parameters, multiply-accumulates and memory, layer by layer",
        description="Count what each layer of a model costs: parameters, multiply-accumulates for "
        "a second of audio, bytes of state that are carried from frame to frame, and bytes that "
        "are held for each second of audio because a layer reads from both ends.",
        epilog="Example: asr inspect cost recipes/mini_librispeech.yaml model.encoder.cell=gru",
    )
    cost.add_argument(
        "model",
        nargs="?",
        metavar="RECIPE_OR_MODEL",
        help="a recipe (.yaml), a model's folder or a bundled model's name",
    )
    cost.add_argument(
        "settings", nargs="*", metavar="key=value", help="settings that replace the recipe's"
    )
    cost.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    cost.set_defaults(run=_cost)


def _gates(options: argparse.Namespace) -> int:
    """What the memory of a model does while it listens."""
    from rich.console import Console

    from asr.acoustic.checkpoint import load_model
    from asr.acoustic.folder import DEFAULT_MODEL
    from asr.inspection.gates import listen
    from asr.inspection.page import write_page
    from asr.inspection.picture import draw_gates, make_figure

    outputs = options.output or [Path(f"{options.audio.stem}.gates.html")]
    if any(path.suffix in PICTURES for path in outputs):
        make_figure(1, 1)  # before the work, to say at once if it can't be done
    listening = listen(options.audio, load_model(options.model), options.layer, options.units)
    _print_listening(listening, Console())
    drawn = next(layer for layer in listening.layers if layer.shown)
    for path in outputs:
        if path.suffix == ".html":
            _write(path, lambda path: write_page(path, listening, options.model or DEFAULT_MODEL))
        else:
            _write(path, lambda path: draw_gates(path, listening, drawn))
    return 0


def _gradients(options: argparse.Namespace) -> int:
    """The vanishing and the exploding gradient on real speech."""
    from rich.console import Console

    from asr.acoustic.checkpoint import load_model
    from asr.inspection import gradients
    from asr.inspection.picture import draw_gradients, make_figure
    from asr.runtime.progress import track

    draws = options.output.suffix in PICTURES
    if draws:
        make_figure(1, 1)
    networks: list[tuple[str, str, gradients.Network]] = [
        (cell, "start", gradients.single_layer(cell, options.gain)) for cell in options.cells
    ]
    for name in options.model:
        checkpoint = load_model(name)
        fresh = gradients.untrained(checkpoint)
        networks.append((name, "start", gradients.WholeModel(fresh)))
        networks.append((name, "trained", gradients.WholeModel(checkpoint.model)))
    if not networks:
        raise AsrError("there is nothing to measure: name a cell by --cells, or a --model")
    signals, failed = _signals(options.data)
    curves = [
        gradients.Curve(
            name, weights, *gradients.measure(network, gradients.cut(signals, network.bins))
        )
        for name, weights, network in track(networks, "measuring", len(networks))
    ]
    _print_curves(curves, Console())
    _write(options.output.with_suffix(".csv"), lambda path: gradients.write_csv(path, curves))
    if draws:
        _write(options.output, lambda path: draw_gradients(path, curves))
    return 1 if failed else 0


def _cost(options: argparse.Namespace) -> int:
    """Parameters, multiply-accumulates and memory, layer by layer."""
    import json

    from rich.console import Console

    from asr.acoustic.checkpoint import load_model
    from asr.config.schema import load_recipe
    from asr.inspection import cost
    from asr.runtime.files import write_text

    name = options.model
    if name is not None and Path(name).suffix in (".yaml", ".yml"):
        model = cost.model_of(load_recipe(name, options.settings))
    elif options.settings:
        raise AsrError(f"{options.settings[0]} is for a recipe, but {name} is a model")
    else:
        model = load_model(name).model
    costs = cost.layer_costs(model)
    _print_costs(costs, Console())
    if options.json:
        text = json.dumps(cost.record(costs), indent=2) + "\n"
        _write(options.json, lambda path: write_text(path, text))
    return 0


def _signals(arguments: Sequence[str]) -> tuple[list[Samples], bool]:
    """Some of the recordings that are long enough, and whether a file could not be read."""
    from asr.audio.read import load_audio
    from asr.inspection.gradients import long_enough

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
        if long_enough(signal):
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
    from asr.audio.read import find_audio
    from asr.corpora.manifest import read_manifest

    for argument in arguments:
        path = Path(argument)
        if path.suffix == ".jsonl":
            yield from (Path(utterance.audio_filepath) for utterance in read_manifest(path))
        elif path.is_dir():
            yield from find_audio(path)
        else:
            yield path


def _print_listening(listening: Listening, console: Console) -> None:
    console.print(listening.text, markup=False, highlight=False, soft_wrap=True)
    table = _table("layer")
    for name in ("remembers\n10 % ms", "\nmedian ms", "\n90 % ms"):
        table.add_column(name, justify="right")
    events = [following.event for following in listening.layers[0].followings]
    for event in events:
        table.add_column(f"{event}:\nunit and correlation", no_wrap=True)
    for layer in listening.layers:
        memory = layer.memory
        times = [f"{memory.quantile(q):.0f}" if memory else "-" for q in (0.1, 0.5, 0.9)]
        followers = [
            "\n".join(
                f"{unit + 1}{layer.trace.reads(unit)} {following.correlations[unit]:+.2f}"
                for unit in following.strongest(_LISTED)
            )
            + f"\nchance {following.chance:.2f}"
            for following in layer.followings
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


def _print_costs(costs: Sequence[LayerCost], console: Console) -> None:
    from asr.inspection.cost import total

    table = _table("layer")
    for name in ("parameters", "frames/s", "MMAC/s", "state\nbytes", "held\nbytes/s"):
        table.add_column(name, justify="right")
    whole = total(costs)
    for cost in (*costs, whole):
        if cost is whole:
            table.add_section()
        table.add_row(
            cost.name,
            f"{cost.parameters:,}",
            f"{cost.rate:g}" if cost is not whole else "",
            f"{cost.macs / 1e6:,.2f}",
            f"{cost.state:,}",
            f"{cost.held:,}",
        )
    _print(table, console)


def _table(*names: str) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    return Table(*names, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))


def _print(table: Table, console: Console) -> None:
    from rich.console import Console as Wide

    # A file or a pipe has no width that the table would have to fit.
    (console if console.is_terminal else Wide(width=120)).print(table, highlight=False)


def _write(path: Path, write: Callable[[Path], None]) -> None:
    write(path)
    print(f"{path} is written")


def _numbers(text: str) -> list[int]:
    """Whole numbers with commas between, for argparse."""
    try:
        return [int(number) for number in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} are no numbers such as 3,17") from None


def _positive_number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above zero")
    return number


def _file(suffixes: Sequence[str]) -> Callable[[str], Path]:
    """A file with one of some extensions, for argparse."""

    def check(text: str) -> Path:
        if Path(text).suffix not in suffixes:
            raise argparse.ArgumentTypeError(f"{text!r} must end in {', '.join(suffixes)}")
        return Path(text)

    return check
