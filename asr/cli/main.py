"""The command line. It parses, runs a command, and turns errors into one line."""

from __future__ import annotations

import argparse
import errno
import sys
from collections.abc import Sequence

from asr import __version__
from asr.cli import (
    align,
    compare,
    evaluate,
    inspect,
    lexicon,
    lm,
    prepare,
    run,
    score,
    speller,
    train,
    transcribe,
    tune,
)
from asr.cli.options import complain
from asr.errors import AsrError

# As help lists them.
COMMANDS = (
    prepare,
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

_FULL = (errno.ENOSPC, errno.EDQUOT)  # no room on a disk, or for this user


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status."""
    options = _parse(arguments)
    try:
        status: int = options.run(options)
        print(end="", flush=True)  # here, where it can still be said what goes wrong
        return status
    except AsrError as error:
        complain(error)
        return error.exit_status
    except KeyboardInterrupt:
        complain("interrupted")
        return 130
    except BrokenPipeError:  # the reader of our output has seen enough
        sys.stdout = None  # or Python would flush it once more
        return 1
    except OSError as error:
        if error.errno in _FULL:
            complain(f"{error.filename or 'the output'} can't be written: {error.strerror}")
            sys.stdout = None
        elif error.filename:  # it is too long a name, or its folder may not be searched
            complain(f"{error.filename} can't be used: {error.strerror}")
        else:
            raise
        return 1


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
