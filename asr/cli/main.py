"""The command line: parses, imports and runs a command, prints errors in one line."""

from __future__ import annotations

import argparse
import errno
import importlib
import sys
from collections.abc import Sequence

from asr import __version__
from asr.cli.parsers import (
    align,
    compare,
    evaluate,
    inspect,
    lexicon,
    lm,
    prepare,
    recipe,
    run,
    score,
    speller,
    train,
    transcribe,
    tune,
)
from asr.errors import AsrError

# In the order of --help.
COMMANDS = (
    prepare,
    recipe,
    train,
    speller,
    run,
    transcribe,
    align,
    evaluate,
    score,
    compare,
    tune,
    inspect,
    lm,
    lexicon,
)

_FULL = (errno.ENOSPC, errno.EDQUOT)  # A disk or a user's quota is full.


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status."""
    options = _parse(arguments)
    try:
        module, _, function = options.run.partition(":")
        run_command = getattr(importlib.import_module(module), function)
        from asr.cli.messages import rules_reported  # Not above: --help needs no rich.

        with rules_reported():
            status: int = run_command(options)
        print(end="", flush=True)  # Here a full disk can still be reported.
        return status
    except AsrError as error:
        _complain(error)
        return error.exit_status
    except KeyboardInterrupt:
        _complain("interrupted")
        return 130
    except BrokenPipeError:  # The output's reader has closed it.
        sys.stdout = None  # Python would flush it once more.
        return 1
    except OSError as error:
        if error.errno in _FULL:
            _complain(f"{error.filename or 'the output'} can't be written: {error.strerror}")
            sys.stdout = None
        elif error.filename:  # The name is too long, or its folder may not be searched.
            _complain(f"{error.filename} can't be used: {error.strerror}")
        else:
            raise
        return 1


def _complain(message: object) -> None:
    from asr.cli.messages import complain  # Not above: --help needs no rich.

    complain(message)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parses; ``key=value`` may also stand behind an option, where argparse takes no list."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if rest:
        are_settings = all("=" in text and not text.startswith("-") for text in rest)
        if not hasattr(options, "settings") or not are_settings:
            parser.error(f"unrecognized arguments: {' '.join(rest)}")
        options.settings += rest
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="asr",
        description="Train a BiLSTM-CTC speech recogniser, transcribe with it, score it.",
        epilog="Example: asr transcribe speech.wav",
    )
    parser.add_argument("--version", action="version", version=f"asr {__version__}")
    groups = parser.add_subparsers(required=True, metavar="COMMAND")

    for command in COMMANDS:
        command.add(groups)
    return parser
