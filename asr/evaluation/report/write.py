"""Putting the page together: figures, utterances and pictures beside the page's own files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from asr import __version__
from asr.evaluation.report import pictures, sound
from asr.runtime.files import write_text
from asr.scoring.error_rates import Alignment, Errors
from asr.scoring.figures import Figures
from asr.scoring.results import Evaluation
from asr.transcription.recogniser import Recogniser

PICTURES = 30_000_000  # characters that all pictures may have: the page then stays below 40 MB

_SCRIPTS = ("core.js", "charts.js", "detail.js", "table.js", "main.js")
_MARKS = {"equal": "=", "substitute": "S", "delete": "D", "insert": "I"}


@dataclass(frozen=True)
class Row:
    """An utterance of the page."""

    set: int  # the index of its data set
    evaluation: Evaluation
    index: int  # in its data set

    @property
    def errors(self) -> Errors:
        return self.evaluation.score.utterance_errors[self.index]

    @property
    def audio(self) -> str:
        return self.evaluation.references[self.index].audio_filepath or ""


def write_report(
    path: str | Path,
    evaluations: Sequence[Evaluation],
    sets: Sequence[Figures],
    recogniser: Recogniser,
    model: str,
    most: int | None = None,
    with_audio: bool = False,
) -> None:
    """Writes the page.

    Args:
        path: of the HTML file.
        evaluations: data sets whose utterances are shown.
        sets: figures of these and of further sets, such as their pool, with details.
        recogniser: the model, to draw what it says.
        model: what it is called.
        most: of how many utterances, the worst ones, to draw log-mel and posteriors; by default of
            as many as fit.
        with_audio: put the recordings into the page instead of linking to them.
    """
    path = Path(path)
    rows = [
        Row(number, evaluation, index)
        for number, evaluation in enumerate(evaluations)
        for index in range(len(evaluation.references))
    ]
    rows.sort(key=lambda row: (-row.errors.rate, -row.errors.total))
    drawn = pictures.draw(recogniser, [row.audio for row in rows][:most], PICTURES)
    audio = [row.audio for row in rows]
    data = {
        "version": __version__,
        "date": date.today().isoformat(),
        "model": model,
        "sets": [figures.to_json() for figures in sets],
        "own": len(evaluations),  # how many of these have utterances
        "units": list(recogniser.tokenizer.units),
        "secondsPerFrame": recogniser.seconds_per_frame,
        "melRate": pictures.MEL_RATE,
        "utterances": [_utterance(row) for row in rows],
        "audio": [] if with_audio else [sound.link(name, path) if name else "" for name in audio],
    }
    blobs = {f"picture-{index}": text for index, text in drawn.items()}
    if with_audio:
        blobs |= {f"audio-{index}": text for index, text in enumerate(sound.embed(audio)) if text}
    names = ", ".join(evaluation.name for evaluation in evaluations)
    write_text(path, _page(f"{names}: word errors", data, blobs))


def _utterance(row: Row) -> dict[str, Any]:
    reference = row.evaluation.references[row.index]
    alignment = row.evaluation.score.alignments[row.index]
    words = row.evaluation.words[row.index] if row.evaluation.words else ()
    return {
        "set": row.set,
        "id": reference.utterance_id,
        "speaker": reference.speaker,
        "seconds": reference.duration and round(reference.duration, 2),
        "reference": " ".join(alignment.reference),
        "hypothesis": " ".join(alignment.hypothesis),
        "edits": _edits(alignment),
        # Of each word of the hypothesis its start, its end, and its confidence.
        "words": [[round(w.start, 2), round(w.end, 2), round(w.confidence, 3)] for w in words],
    }


def _edits(alignment: Alignment) -> str:
    """One mark for each pair of words."""
    return "".join(_MARKS[run.kind] * run.length for run in alignment.runs)


def _page(title: str, data: dict[str, Any], blobs: dict[str, str]) -> str:
    folder = files("asr.evaluation.report") / "page"

    def read(name: str) -> str:
        return (folder / name).read_text(encoding="utf-8")

    script = "\n".join(read(name) for name in _SCRIPTS)
    return fill(read("page.html"), title, data, blobs, read("style.css"), script)


def fill(
    template: str,
    title: str,
    data: dict[str, Any],
    blobs: dict[str, str],
    style: str,
    script: str,
) -> str:
    """A page from a template with the places title, style, data, blobs and script.

    Args:
        template: HTML in which a place is its name in two pairs of braces.
        title: in plain text.
        data: becomes JSON.
        blobs: texts by the id of the element that holds them; without markup.
        style: CSS.
        script: JavaScript.
    """
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    parts = {
        "title": escape(title),
        "style": style,
        "data": text.replace("<", "\\u003c"),  # no end of the script element within
        "blobs": "".join(
            f'<script type="text/plain" id="{name}">{text}</script>\n'
            for name, text in blobs.items()
        ),
        "script": script,
    }
    # Cut up once, so that nothing within a part is taken for a place.
    head, *pieces = template.split("{{")
    page = [head]
    for piece in pieces:
        name, _, rest = piece.partition("}}")
        page += [parts[name], rest]
    return "".join(page)
