import pytest

from asr.text import foreign_characters, normalise


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Hello, world!", "HELLO WORLD"),
        ("  it’s   the  O'Brien's “quoted” ' word ", "IT'S THE O'BRIEN'S QUOTED WORD"),
        ("well-known — naïve café", "WELL KNOWN NAIVE CAFE"),
        ("Straße ÆON", "STRASSE AEON"),
        ("'tis the dogs' day", "'TIS THE DOGS' DAY"),
        ("ﬁne", "FINE"),
        ("", ""),
        ("...", ""),
    ],
)
def test_normal_form(text, normal):
    assert normalise(text) == normal
    assert normalise(normal) == normal
    assert foreign_characters(normal) == ""


def test_reports_what_has_no_single_reading():
    assert foreign_characters(normalise("Room 101 costs $5 & £1")) == "10$5&£"


def test_librispeech_is_in_normal_form(librispeech):
    for path in sorted((librispeech / "dev-clean").rglob("*.trans.txt"))[:20]:
        for line in path.read_text().splitlines():
            text = line.split(" ", 1)[1]
            assert normalise(text) == text
