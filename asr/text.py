"""The normal form of text, in which models are trained, write and are scored.

The form is LibriSpeech's: upper case A-Z, the apostrophe, words apart by one space. Marks that
transcripts and subtitles carry beside the words are taken out by named rules, whose applications
:func:`record_rules` counts.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ'"  # of words; between them stands a space

# The rules, and what a report calls the things that each takes out or changes.
RULES = {
    "entity": "HTML entities decoded",
    "sentence": "sentence marks taken out",
    "unknown": "marks of unknown words taken out",
    "tag": "tags taken out",
    "sound": "marks of sounds taken out",
    "brace": "braces taken off words",
    "quote": "single quotation marks taken off words",
    "composed": "texts with accents composed",
    "case": "words of language models read in upper case",
    "manifest": "texts of manifests brought into normal form",
    "foreign": "texts with characters that no rule changes",
}

_APOSTROPHES = dict.fromkeys(map(ord, "’‘ʼ`´＇"), "'")
_LETTERS = str.maketrans(
    {"ß": "SS", "Æ": "AE", "æ": "AE", "Œ": "OE", "œ": "OE", "Ø": "O", "ø": "O"}
)
_PUNCTUATION = dict.fromkeys(map(ord, '-‐‑‒–—―.,;:!?¡¿"“”„«»()[]{}<>/\\|_*~…•'), " ")
_SPACES = _PUNCTUATION | {ord("`"): "'"}
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
# An apostrophe that no letter touches is a quotation mark.
_LONE_APOSTROPHE = re.compile(r"'(?<!\w')'*(?!\w)")
_FOREIGN = re.compile(rf"[^{ALPHABET} ]")

_PLAIN = re.compile(r"[A-Z' \t]*")  # LibriSpeech's transcripts: nothing in them is a mark
_MARKS = re.compile(r"[&<\[({*'’‘`]")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_SENTENCE = re.compile(r"</?s>", re.IGNORECASE)
_UNKNOWN = re.compile(r"<unk>|\[unk\]|\(unk\)", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<!--[^<>]*-->|<\d[\d:.]*>")
_BRACKETED = re.compile(r"\[([^\[\]]*)\]")
_ENCLOSED = re.compile(r"\(+([^()]*)\)+|\*([^*\s][^*]*)\*")
_BRACES = re.compile(r"\{([^{}]*)\}")
_SOUND = re.compile(
    r"laugh(s|ing|ter|ed)?|cough\w*|sneez\w*|sigh(s|ing|ed)?|breath\w*|(in|ex)hal\w*|noises?|"
    r"\w*[-_]noises?|music|applause|clap(s|ping)?|cheer(s|ing)|crying|cries|sob(s|bing)?|"
    r"gasp\w*|groan\w*|moan\w*|snort\w*|sniff\w*|whistl(es|ing)|hum(s|ming)|silence|pause\w*|"
    r"b[el]eep\w*|ring(s|ing)|static|inaudible|unintelligible|indistinct|incomprehensible|"
    r"cross-?talk|overlap(ping)?|background|foreign|speech|speaking|chatter(ing)?|giggl\w*|"
    r"chuckl\w*|yawn\w*|lip-?smack\w*|smack\w*|click(s|ing)?|knock(s|ing)?|playing|phone|"
    r"vocali[sz]ed|hesitation|blank_audio|clear(s|ing)|throat|swallow(s|ing)|scream(s|ing)|"
    r"whisper(s|ing)|singing|sings|unk",
    re.IGNORECASE,
)
# Words that editors put into brackets: "at [the] end".
_EDITORIAL = re.compile(
    "a|an|and|are|at|he|her|his|i|in|is|it|of|on|or|sic|she|that|the|to|was", re.IGNORECASE
)
_OPENING_QUOTE = re.compile(r"(?<![\w'’])['‘](?=[^\W\d_])")
_CLOSING_QUOTE = re.compile(r"(?<=[\w.,!?;:…-])['’](?!\w)")
# Words that begin with an apostrophe.
_SHORTENED = re.compile(
    "bout|cause|d|e|em|er|ere|gainst|im|ll|m|mid|midst|mongst|n|neath|re|round|s|t|till?|tis|"
    "tween|twas|twere|twill|twixt|twould|ve",
    re.IGNORECASE,
)


_EXAMPLE = 40  # characters


@dataclass
class RuleReport:
    """How often each of :data:`RULES` was applied, with an example."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, rule: str, example: str, count: int = 1) -> None:
        self.counts[rule] += count
        self.examples.setdefault(rule, " ".join(example.split())[:_EXAMPLE])

    def __str__(self) -> str:
        """One line; empty if no rule was applied."""
        parts = [
            f"{self.counts[rule]} {name} (such as {self.examples[rule]})"
            for rule, name in RULES.items()
            if self.counts[rule]
        ]
        return "; ".join(parts)


_report: ContextVar[RuleReport | None] = ContextVar("report", default=None)


@contextmanager
def record_rules() -> Iterator[RuleReport]:
    """Counts the rules that :func:`normalise` and :func:`compose` apply within the block."""
    report = RuleReport()
    token = _report.set(report)
    try:
        yield report
    finally:
        _report.reset(token)


def normalise(text: str) -> str:
    """Brings ``text`` into the normal form, as far as that needs no guess.

    Marks are taken out by :data:`RULES`. Case goes up, accents go off, typographic apostrophes
    become plain ones; punctuation becomes a space. What has no single reading (digits, symbols,
    other scripts) stays as it is, for :func:`foreign_characters` to report: a number dropped here
    would be an error in every WER.
    """
    if not _PLAIN.fullmatch(text) and _MARKS.search(text):
        text = _without_marks(text)
    if not text.isascii():
        text = _NOT_ASCII.sub(_to_ascii, text)
    text = text.upper().translate(_SPACES)
    if "'" in text:
        text = _LONE_APOSTROPHE.sub(" ", text)
    text = " ".join(text.split())
    if _report.get() and (match := _FOREIGN.search(text)):
        note_rule("foreign", match[0])
    return text


def compose(text: str) -> str:
    """Composes letters with their accents (NFC), so that equal texts have equal characters."""
    composed = unicodedata.normalize("NFC", text)
    if composed != text:
        note_rule("composed", next(w for w in text.split() if unicodedata.normalize("NFC", w) != w))
    return composed


def _to_ascii(match: re.Match[str]) -> str:
    """Characters beyond ASCII as those that they stand for, as far as there are any."""
    text = match[0].translate(_APOSTROPHES).translate(_LETTERS)
    decomposed = unicodedata.normalize("NFKD", text)
    text = "".join(c for c in decomposed if not unicodedata.combining(c))
    return text.upper().translate(_PUNCTUATION)


def foreign_characters(text: str) -> str:
    """The characters of ``text`` that the normal form lacks, each once, in order of appearance."""
    return "".join(dict.fromkeys(_FOREIGN.findall(text)))


def note_rule(rule: str, example: str, count: int = 1) -> None:
    """Counts an application of one of :data:`RULES`, if they are recorded."""
    if report := _report.get():
        report.add(rule, example, count)


def _without_marks(text: str) -> str:
    text = _ENTITY.sub(_decode_entity, text)
    for rule, pattern in (("sentence", _SENTENCE), ("unknown", _UNKNOWN), ("tag", _TAG)):
        text = pattern.sub(partial(_take_out, rule), text)
    text = _BRACKETED.sub(_take_out_brackets, text)
    text = _ENCLOSED.sub(_take_out_sound, text)
    text = _BRACES.sub(_take_off_braces, text)
    return _without_quotes(text)


def _take_out(rule: str, match: re.Match[str]) -> str:
    note_rule(rule, match[0])
    return " "


def _decode_entity(match: re.Match[str]) -> str:
    decoded = html.unescape(match[0])
    if decoded != match[0]:
        note_rule("entity", match[0])
    return decoded


def _is_sound(text: str) -> bool:
    words = text.strip(" .!?").split()
    return bool(words) and all(map(_SOUND.fullmatch, words))


def _take_out_brackets(match: re.Match[str]) -> str:
    words = match[1].split()
    is_mark = len(words) == 1 and not _EDITORIAL.fullmatch(words[0]) and not words[0].isdigit()
    return _take_out("sound", match) if is_mark or _is_sound(match[1]) else match[0]


def _take_out_sound(match: re.Match[str]) -> str:
    return _take_out("sound", match) if _is_sound(match[1] or match[2] or "") else match[0]


def _take_off_braces(match: re.Match[str]) -> str:
    if _is_sound(match[1]):
        return _take_out("sound", match)
    note_rule("brace", match[0])
    return f" {match[1]} "


def _without_quotes(text: str) -> str:
    """Takes single quotation marks off words, not apostrophes.

    A plain apostrophe before a word opens a quotation only if another one closes it, behind the
    same word, behind punctuation or a word that is no plural in the genitive. ``‘`` always does.
    """
    quotes: set[int] = set()
    behind = 0
    for match in _OPENING_QUOTE.finditer(text):
        start = match.start()
        word = re.match(r"\w+", text[start + 1 :])
        if start < behind or word is None or _SHORTENED.fullmatch(word[0]):
            continue
        end = _closing_quote(text, start + 1, start + 1 + len(word[0]))
        if end is None and match[0] == "'":
            continue
        quotes.add(start)
        if end is not None:
            quotes.add(end)
            behind = end
        note_rule("quote", text[start : (start if end is None else end) + 1][:40])
    return "".join(" " if index in quotes else c for index, c in enumerate(text))


def _closing_quote(text: str, start: int, word_end: int) -> int | None:
    for match in _CLOSING_QUOTE.finditer(text, start):
        end = match.start()
        if end == word_end or not text[end - 1].isalpha() or text[end - 1].lower() != "s":
            return end
    return None
