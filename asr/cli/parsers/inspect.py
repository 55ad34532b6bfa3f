"""Options of asr inspect."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from asr.cli.parsers.shared import Commands
from asr.config.choices import PICTURE_FORMATS


def add(commands: Commands) -> None:
    """Adds the command and its options."""
    inspect = commands.add_parser(
        "inspect",
        help="look inside: gates, gradients, costs",
        epilog="Example: asr inspect gates speech.wav -o gates.html",
    )
    actions = inspect.add_subparsers(required=True, metavar="ACTION")
    _add_gates(actions)
    _add_gradients(actions)
    _add_cost(actions)


def _add_gates(actions: Commands) -> None:
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
        type=_file((".html", *PICTURE_FORMATS)),
        action="append",
        metavar="FILE",
        help="an .html page, or a picture (.png, .svg, .pdf); may be given for each (default: "
        "AUDIO's name with .gates.html)",
    )
    gates.set_defaults(run="asr.cli.inspect:gates")


def _add_gradients(actions: Commands) -> None:
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
        type=_file((*PICTURE_FORMATS, ".csv")),
        default=Path("gradients.png"),
        metavar="FILE",
        help="a picture, and beside it a .csv; or the .csv alone (default: gradients.png)",
    )
    gradients.set_defaults(run="asr.cli.inspect:gradients")


def _add_cost(actions: Commands) -> None:
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
    cost.set_defaults(run="asr.cli.inspect:cost")


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
