"""What keeps the code readable: short modules, short functions, nothing written twice."""

import ast
import io
import keyword
import tokenize
from collections import defaultdict
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
MODULES = sorted((PROJECT / "asr").rglob("*.py"))
SCRIPTS = sorted(
    path
    for path in (PROJECT / "scripts").iterdir()
    if path.is_file() and path.read_text().startswith("#!/usr/bin/env python3")
)
LINES = 450  # of a module, unless its docstring says why it is longer
FUNCTION = 80  # lines
TRAINING = 60  # lines of a function of asr/training
TWICE = 12  # lines of code
SAYS_SOMETHING = 200  # characters of them, names as one letter; fewer are a list of settings
NO_CODE = (
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE),
    *(tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER),
)
ANY = {tokenize.NAME: "n", tokenize.STRING: "s", tokenize.NUMBER: "0"}


def name(path):
    return str(path.relative_to(PROJECT))


def functions(path):
    nodes = ast.walk(ast.parse(path.read_text()))
    return [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.mark.parametrize("path", [*MODULES, *SCRIPTS], ids=name)
def test_a_module_is_short_or_says_why_not(path):
    text = path.read_text()
    reason = f"over {LINES} lines" in " ".join((ast.get_docstring(ast.parse(text)) or "").split())
    assert len(text.splitlines()) <= LINES or reason


@pytest.mark.parametrize("path", [*MODULES, *SCRIPTS], ids=name)
def test_functions_are_short(path):
    limit = TRAINING if path.is_relative_to(PROJECT / "asr" / "training") else FUNCTION
    lengths = {node.name: node.end_lineno - node.lineno + 1 for node in functions(path)}
    assert {name: length for name, length in lengths.items() if length > limit} == {}


def shapes(path):
    """Line numbers of code and its tokens, whatever it names; neither imports nor docstrings."""
    text = path.read_text()
    left_out = {
        number
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for number in range(node.lineno, node.end_lineno + 1)
    }
    lines = defaultdict(list)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.start[0] not in left_out and token.type not in NO_CODE:
            named = token.type in ANY and not keyword.iskeyword(token.string)
            lines[token.start[0]].append(ANY[token.type] if named else token.string)
    return [(number, " ".join(tokens)) for number, tokens in sorted(lines.items())]


def test_no_twelve_lines_stand_twice_whatever_they_name():
    places = defaultdict(list)
    for path in MODULES:
        lines = shapes(path)
        for first in range(len(lines) - TWICE + 1):
            window = lines[first : first + TWICE]
            code = "\n".join(line for _, line in window)
            if len(code) >= SAYS_SOMETHING:
                places[code].append(f"{name(path)}:{window[0][0]}")
    assert [found for found in places.values() if len(found) > 1] == []
