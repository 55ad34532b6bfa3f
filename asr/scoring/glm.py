"""GLM, NIST's global mapping: rules that rewrite texts before they are scored.

Rules are ``A => B`` or ``A => B / C __ D``, each part perhaps in brackets or quotation marks. At
each character the first rule applies whose A matches between C and D. Texts become upper case
first.
Source: SCTK, doc/GLMRules.txt, and src/csrfilt/csrfilt.sh.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from asr.errors import AsrError
from asr.runtime.textfile import read_text

_APPLIES = re.compile(r';;\s+INPUT_DEPENDENT_APPLICATION\s*=\s*"([^"]*)"')
_HEADER = re.compile(r"\*.*?(\w+)\s*[=:]?\s*([\"'])(.*?)\2")
_TRUE = ("T", "TRUE", "YES", "Y")
_SEVERAL = re.compile(r"\(\s+([^()\s]+)\s+([^()\s]+)")  # words in one pair of parentheses


@dataclass(frozen=True)
class Rule:
    """A rewriting rule."""

    source: str
    target: str
    left: str  # context
    right: str
    applies: str | None = None  # a regular expression on the kind of input; None: to all


@dataclass(frozen=True)
class GlobalMap:
    """The rules of a file."""

    rules: Sequence[Rule]
    case_sensitive: bool = True
    copy_unmatched: bool = True

    def apply(self, text: str, kind: str, role: str) -> str:
        """Rewrites a text.

        Args:
            text: words, perhaps with alternations.
            kind: the format of its file, such as ``stm``.
            role: ``ref`` or ``hyp``.
        """
        spaced = " ".join(text.upper().replace("(", "( ").replace(")", " )").split())
        rewritten = self._rewrite(f" {spaced} ", self._by_first_letter(kind, role))
        while (parted := _SEVERAL.sub(r"( \1 ) ( \2", rewritten)) != rewritten:
            rewritten = parted
        joined = " ".join(rewritten.split())
        return joined.replace("( ", "(").replace(" )", ")")

    def _by_first_letter(self, kind: str, role: str) -> dict[str, list[Rule]]:
        rules = defaultdict(list)
        for rule in self.rules:
            if rule.applies is None or any(re.search(rule.applies, name) for name in (kind, role)):
                rules[self._fold(rule.source[:1])].append(rule)
        return rules

    def _fold(self, text: str) -> str:
        return text if self.case_sensitive else text.upper()

    def _rewrite(self, text: str, rules: dict[str, list[Rule]]) -> str:
        folded = self._fold(text)
        parts = []
        position = 0
        while position < len(text):
            for rule in rules.get(folded[position], ()):
                end = position + len(rule.source)
                if (
                    folded.startswith(self._fold(rule.source), position)
                    and folded[:position].endswith(self._fold(rule.left))
                    and folded.startswith(self._fold(rule.right), end)
                ):
                    parts.append(rule.target)
                    position = end
                    break
            else:
                parts.append(text[position] if self.copy_unmatched else "")
                position += 1
        return "".join(parts)


def read_glm(path: Path) -> GlobalMap:
    """Reads a file of rules.

    Raises:
        AsrError: the file can't be read, or a line is no rule.
    """
    lines = read_text(path).split("\n")
    comment = next((line.split()[0] for line in lines[:1] if line.split()), ";;")
    rules = []
    settings = {"CASE_SENSITIVE": True, "COPY_NO_HIT": True}
    applies: str | None = None
    for number, line in enumerate(lines, 1):
        if match := _APPLIES.match(line):
            applies = match[1].lower()
        if line.startswith("*"):
            for name in settings:
                header = _HEADER.match(line)
                if header and name in line.upper():
                    settings[name] = header[3].strip().upper() in _TRUE
            continue
        line = line.split(comment, 1)[0].strip()
        if line:
            rules.append(_parse_rule(line, applies, f"line {number} of {path}"))
    if not rules:
        raise AsrError(f"{path} holds no rule such as UHHUH => UH-HUH; is it a GLM file?")
    return GlobalMap(rules, settings["CASE_SENSITIVE"], settings["COPY_NO_HIT"])


def _parse_rule(line: str, applies: str | None, where: str) -> Rule:
    source, arrow, rest = line.partition("=>")
    if not arrow or not source.strip():
        raise AsrError(f"{where} is no rule such as A => B or A => B / [ ] __ [ ]")
    target, left, right = rest, "", ""
    head, slash, context = rest.rpartition("/")
    # A slash within brackets belongs to the target: [{HE IS / HE HAS}].
    if slash and "_" in context and context.count("]") == context.count("["):
        target = head
        before, _, after = context.partition("_")
        left, right = _unquote(before), _unquote(after.lstrip("_"))
        # rfilter1 skips what stands directly behind the slot: __A has no right context A.
        if after.lstrip("_")[:1].strip():
            right = _unquote(" ".join(after.lstrip("_").split()[1:]))
    return Rule(_unquote(source), _unquote(target), left, right, applies)


def _unquote(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and (text[0], text[-1]) in (("[", "]"), ('"', '"')):
        return text[1:-1]
    return text
