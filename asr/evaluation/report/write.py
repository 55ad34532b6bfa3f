"""The evaluation report: one HTML page of figures, utterances and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from asr import __version__
from asr.evaluation.report import pictures, sound
from asr.evaluation.report.page import ASSETS, render_page
from asr.runtime.files import write_text
from asr.scoring.error_rates import Alignment, Errors
from asr.scoring.figures import Figures
from asr.scoring.results import Evaluation
from asr.transcription.recogniser import Recogniser

PICTURES = 30_000_000  # characters of all pictures; keeps the page below 40 MB

_SCRIPTS = ("core.js", "charts.js", "detail.js", "table.js", "main.js")
_MARKS = {"equal": "=", "substitute": "S", "delete": "D", "insert": "I"}


@dataclass(frozen=True)
class Row:
    """A row of the table of utterances."""

    set: int  # index of the data set
    evaluation: Evaluation
    index: int  # within the data set

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
        evaluations: data sets whose utterances are listed.
        sets: figures of these and of further sets, such as their pool, with details.
        recogniser: the model, for the posteriors.
        model: the name of the model.
        most: number of utterances, the worst first, whose log-mel and posteriors are drawn; by
            default as many as fit into :data:`PICTURES`.
        with_audio: embed the recordings instead of linking to them.
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
        "own": len(evaluations),  # the number of sets with utterances
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
    page = render_page(
        f"{names}: word errors",
        ASSETS / "report.html",
        data,
        blobs,
        styles=[ASSETS / "style.css"],
        scripts=[ASSETS / name for name in _SCRIPTS],
    )
    write_text(path, page)


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
        # Start, end and confidence of each word of the hypothesis.
        "words": [[round(w.start, 2), round(w.end, 2), round(w.confidence, 3)] for w in words],
    }


def _edits(alignment: Alignment) -> str:
    """One mark for each edit."""
    return "".join(_MARKS[run.kind] * run.length for run in alignment.runs)
