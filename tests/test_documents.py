"""What the documents name exists: files, modules, commands, options, recipe keys, figures."""

import argparse
import importlib
import importlib.util
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from asr.cli.main import _parse, _parser, main
from asr.config.keys import list_keys
from asr.config.loading import load_recipe
from asr.config.schema import Recipe

PROJECT = Path(__file__).resolve().parents[1]
(CARD,) = (PROJECT / "asr" / "models").glob("*/README.md")  # of the one bundled model
RESULTS = PROJECT / "recipes" / "RESULTS.md"
DOCUMENTS = [
    PROJECT / "README.md",
    PROJECT / "asr" / "README.md",
    CARD,
    *sorted((PROJECT / "recipes").rglob("*.md")),
    PROJECT / ".github" / "CONTRIBUTING.md",
]
FOLDERS = ("asr", "recipes", "scripts", "tests", ".github", ".ci")
MOST_LINES = {PROJECT / "README.md": 130, RESULTS: 200}


def parametrize_documents(test):
    names = [str(path.relative_to(PROJECT)) for path in DOCUMENTS]
    return pytest.mark.parametrize("document", DOCUMENTS, ids=names)(test)


def blocks(text):
    """Fenced and indented code, and the text without it."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    rest = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    indented = re.findall(r"(?:^ {4}.*\n)+", rest, re.MULTILINE)
    prose = re.sub(r"^ {4}.*\n", "", rest, flags=re.MULTILINE)
    return [body for language, body in fenced if language in ("", "console")] + indented, prose


def inline_code(text):
    return re.findall(r"`([^`\n]+)`", blocks(text)[1])


def command_lines(text):
    """Every command of a document's blocks, its continuation lines joined, as words."""
    for body in blocks(text)[0]:
        for line in re.sub(r"\\\n\s*", "", body).splitlines():
            line = line.strip().removeprefix("$ ").removeprefix("time ")
            if re.match(r"(\.venv/bin/)?(asr|python|scripts/\w+)\b", line):
                yield shlex.split(line.removeprefix(".venv/bin/"), comments=True)


def described_commands(text):
    """Commands within sentences and tables, as words."""
    for code in inline_code(text):
        if re.match(r"(asr [a-z]|scripts/|python )", code):
            yield shlex.split(code)


def subparser(words):
    """The parser of the longest command that the words begin with, and its name."""
    parser, name = _parser(), []
    for word in words:
        choices = next(
            (a.choices for a in parser._actions if isinstance(a, argparse._SubParsersAction)), {}
        )
        if word not in choices:
            break
        parser = choices[word]
        name.append(word)
    return parser, name


def all_parsers(parser=None):
    parser = parser or _parser()
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from all_parsers(inner)


def check_script(words):
    """The script exists, and so do its options; settings behind a recipe's name fit the recipe."""
    path = PROJECT / words[0]
    assert path.is_file(), words[0]
    source = path.read_text(encoding="utf-8")
    for option in (word for word in words if word.startswith("--")):
        found = re.search(rf"(?<![\w-]){option}(?![\w-])", source)
        assert found, f"{words[0]} has no {option}"
    if words[0] == "scripts/ablate":
        variants = [word for word in words if re.match(r"[\w ,]+: ", word)]
        settings = [word for word in words if "=" in word and word not in variants]
        for variant in variants:
            load_recipe(PROJECT / words[1], settings + variant.partition(": ")[2].split())


def check_settings(options):
    """``key=value`` are keys of the recipe that stands before them."""
    recipe = getattr(options, "recipe", None)
    if recipe and getattr(options, "settings", None) and str(recipe).endswith(".yaml"):
        load_recipe(PROJECT / recipe, list(options.settings))


@parametrize_documents
def test_links_lead_somewhere(document):
    text = document.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"https?:", link):
            assert (document.parent / link.partition("#")[0]).exists(), link


@parametrize_documents
def test_files_and_modules_exist(document):
    for code in inline_code(document.read_text(encoding="utf-8")):
        if re.fullmatch(r"[\w.]+(/[\w.-]+)+/?", code) and code.split("/")[0] in FOLDERS:
            if "NAME" not in code:
                assert (PROJECT / code).exists(), code
        elif re.fullmatch(r"asr(\.\w+)+(\(.*\))?", code):
            names = code.partition("(")[0].split(".")
            depth = next(n for n in range(len(names), 0, -1) if is_module(".".join(names[:n])))
            found = importlib.import_module(".".join(names[:depth]))
            for name in names[depth:]:
                found = getattr(found, name)


def is_module(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


@parametrize_documents
def test_command_lines_parse(document):
    for words in command_lines(document.read_text(encoding="utf-8")):
        if words[0] == "asr":
            check_settings(_parse(words[1:]))
        elif words[0].startswith("scripts/"):
            check_script(words)
        elif words[1] != "-m":
            assert (PROJECT / words[1]).is_file() or words[1].startswith("-"), words


@parametrize_documents
def test_commands_in_sentences_exist(document):
    for words in described_commands(document.read_text(encoding="utf-8")):
        if words[0] == "asr":
            parser, name = subparser(words[1:])
            assert name or words[1] in ("--help", "--version"), words
            options = [word for word in words[1:] if word.startswith("-")]
            assert set(options) <= parser._option_string_actions.keys(), words
        elif words[0].startswith("scripts/"):
            check_script(words)
        else:
            assert (PROJECT / words[1]).is_file(), words


@parametrize_documents
def test_options_and_keys_in_sentences_exist(document):
    options = {option for parser in all_parsers() for option in parser._option_string_actions}
    keys = {key.name for key in list_keys(Recipe)}
    sections = {key.partition(".")[0] for key in keys}
    for code in inline_code(document.read_text(encoding="utf-8")):
        if code.startswith("--"):
            known = options | {"--init-from", "--join"}  # those of scripts/
            assert {word for word in code.split() if word.startswith("--")} <= known, code
        elif match := re.fullmatch(r"(\w+)((?:\.\w+)+)(=.*)?", code):
            key = match[1] + match[2]
            if match[1] in sections and match[1] != "before":
                assert key in keys, key


@pytest.mark.parametrize("document", MOST_LINES, ids=[path.name for path in MOST_LINES])
def test_documents_are_short(document):
    lines = document.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= MOST_LINES[document]


@pytest.mark.parametrize("document", [PROJECT / "README.md", CARD], ids=["README", "card"])
def test_figures_of_the_bundled_model_stand_in_the_results(document):
    """Error rates in tables are those of recipes/RESULTS.md, perhaps rounded to one digit."""
    section = RESULTS.read_text(encoding="utf-8").split("\n## ")[1]
    known = re.findall(r"\d+\.\d\d\b", section)
    rounded = {f"{float(figure):.1f}" for figure in known}
    tables = [
        line
        for line in document.read_text(encoding="utf-8").splitlines()
        if line.startswith("| ") and re.search(r"greedy|passes|search", line)
    ]
    figures = [figure for line in tables for figure in re.findall(r"\b\d+\.\d\d?\b(?! GB)", line)]
    assert len(figures) >= 4
    assert [f for f in figures if f not in known and f not in rounded] == []


def test_the_packages_stand_in_the_order_of_their_imports():
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    text = (PROJECT / "asr" / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `asr/(\w+)(?:\.py)?` \|", text, re.MULTILINE)
    assert named == layers[: len(named)]
    assert all(f"`asr/{layer}.py`" in text for layer in layers[len(named) :])


def test_the_costs_of_cells_are_what_the_command_prints(capsys):
    rows = re.findall(
        r"^\| `(model\.encoder\.\S+)`[^|]*\| (.+) \|$",
        (PROJECT / "recipes" / "CELLS.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert len(rows) >= 5
    for setting, figures in rows:
        recipe = str(PROJECT / "recipes" / "mini_librispeech.yaml")
        assert main(["inspect", "cost", recipe, setting]) == 0
        (total,) = (line for line in capsys.readouterr().out.splitlines() if " total " in line)
        assert total.split()[1:] == figures.split(" | "), setting


def test_the_public_workflow_runs_scripts_that_exist():
    workflow = (PROJECT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    runs = [shlex.split(line) for line in re.findall(r"- run: (.+)", workflow)]
    versions = re.findall(r"versions: (--\w+)", workflow)
    assert len(runs) >= 4
    for words in runs:
        check_script([word for word in words if "$" not in word and word not in "{}"])
    for option in versions:
        check_script(["scripts/test", option])


def test_every_command_has_a_line_in_the_documents():
    shown = {
        words[1]
        for document in DOCUMENTS
        for text in [document.read_text(encoding="utf-8")]
        for words in [*command_lines(text), *described_commands(text)]
        if words[0] == "asr"
    }
    commands = {parser.prog.split()[1] for parser in all_parsers() if " " in parser.prog}
    assert commands - shown == set()
