"""Alternations and optional words of NIST transcripts: ``{ going to / gonna }``, ``(today)``.

``@`` is the empty alternative, alternations may nest, a word may carry tags behind ``;`` and loses
a trailing ``*``. With ``-D`` a word in parentheses may be left out; with ``-F`` a fragment such as
``th-`` matches any word that begins with it. Source: the manual of sclite (SCTK), "infmts".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from asr.errors import AsrError

NULL = "@"

_MARKED = re.compile(r"[{}]|(?<!\S)@(?!\S)")
_OPTIONAL = re.compile(r"(?<!\S)\([^()\s]+\)(?!\S)")
_TAG = re.compile(r"(?<!\\);")


@dataclass(frozen=True)
class Matching:
    """How words match."""

    optional: bool = False  # words in parentheses may be left out (sclite's -D)
    fragments: bool = False  # a fragment matches the words it is a part of (sclite's -F)


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a network."""

    text: str  # in the output
    value: str  # in comparisons: without the parentheses of an optional word
    optional: bool = False
    fragment: bool = False

    @property
    def is_null(self) -> bool:
        return self.text == NULL


@dataclass
class Network:
    """The texts that a marked text stands for, as an acyclic graph with a word on each arc."""

    tokens: list[Token] = field(default_factory=list)  # of the arcs, each behind its predecessors
    previous: list[list[int]] = field(default_factory=list)  # arcs into each arc's start; -1: none
    last: list[int] = field(default_factory=list)  # arcs into the end; -1 if the text is empty


def is_marked(text: str, matching: Matching) -> bool:
    """Whether a text has alternations, or optional words that may be left out."""
    return bool(_MARKED.search(text) or (matching.optional and _OPTIONAL.search(text)))


def parse(text: str, matching: Matching, where: str) -> Network:
    """Parses a text with alternations.

    Raises:
        AsrError: its braces do not match.
    """
    network = Network()
    spaced = re.sub(r"([{}])", r" \1 ", text)
    tokens = _split_slashes(spaced.split())
    ends, position = _sequence(network, tokens, 0, [-1], matching)
    if position < len(tokens):
        raise AsrError(f"{where} has a }} without a {{: {text}")
    if sum((token == "{") - (token == "}") for token in tokens):
        raise AsrError(f"{where} has a {{ without a }}: {text}")
    network.last = ends
    return network


def map_words(text: str, change: Callable[[str], str]) -> str:
    """Applies a function to each word of a marked text, not to the marks.

    Where it gives several words for an optional one, each of them is optional.
    """
    result = []
    for token in _split_slashes(re.sub(r"([{}])", r" \1 ", text).split()):
        if token in ("{", "}", "/", NULL):
            result.append(token)
        elif _OPTIONAL.fullmatch(token):
            result += [f"({word})" for word in change(token[1:-1]).split()]
        else:
            result += change(token).split()
    return " ".join(result)


def _split_slashes(tokens: list[str]) -> list[str]:
    """Makes slashes within braces tokens of their own; elsewhere they are part of a word."""
    result: list[str] = []
    depth = 0
    for token in tokens:
        depth += (token == "{") - (token == "}")
        result += [part for part in re.split("(/)", token) if part] if depth > 0 else [token]
    return result


def _sequence(
    network: Network, tokens: list[str], position: int, starts: list[int], matching: Matching
) -> tuple[list[int], int]:
    """Adds words up to ``/``, ``}`` or the end; returns the arcs into its end and the position."""
    while position < len(tokens) and tokens[position] != "}":
        token = tokens[position]
        if token == "/" and starts is not None and _within(tokens, position):
            break
        position += 1
        if token != "{":
            network.tokens.append(_token(token, matching))
            network.previous.append(starts)
            starts = [len(network.tokens) - 1]
            continue
        ends: list[int] = []
        while position < len(tokens) and tokens[position] != "}":
            if tokens[position] == "/":
                position += 1
                continue
            alternative, position = _sequence(network, tokens, position, starts, matching)
            ends += alternative
        position += 1
        starts = ends or starts
    return starts, position


def _within(tokens: list[str], position: int) -> bool:
    """Whether a position lies between braces."""
    before = tokens[:position]
    return before.count("{") > before.count("}")


def _token(text: str, matching: Matching) -> Token:
    text = _TAG.split(text, maxsplit=1)[0].replace("\\;", ";")
    if len(text) > 1 and text.endswith("*"):
        text = text[:-1]
    optional = matching.optional and len(text) > 2 and text[0] == "(" and text[-1] == ")"
    value = text[1:-1] if optional else text
    fragment = matching.fragments and len(value) > 1 and "-" in (value[0], value[-1])
    return Token(text, value, optional, fragment)
