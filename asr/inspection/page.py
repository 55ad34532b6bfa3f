"""A gate inspection as one HTML page, with parts of the evaluation report's page."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from asr.evaluation.report import pictures, sound
from asr.evaluation.report.page import ASSETS, render_page
from asr.inspection.gates import GateInspection
from asr.inspection.memory import HISTOGRAM_EDGES
from asr.runtime.files import write_text


def write_page(path: str | Path, inspection: GateInspection, model: str) -> None:
    """Writes a self-contained page.

    Args:
        path: of the HTML file.
        inspection: of one utterance.
        model: the name of the model.
    """
    name = Path(inspection.audio).name
    data = {
        "audio": name,
        "model": model,
        "melRate": pictures.MEL_RATE,
        "bins": [round(float(edge), 3) for edge in HISTOGRAM_EDGES],
        "utterances": [],  # core.js expects a report's
        **inspection.to_json(),
    }
    (recording,) = sound.embed([inspection.audio])
    blobs = {
        "picture": pictures.encode(inspection.samples, inspection.log_probs),
        "recording": recording,
    }
    own = files("asr.inspection") / "page_assets"
    page = render_page(
        f"{name}: gates",
        own / "gates.html",
        data,
        blobs,
        styles=[ASSETS / "style.css", own / "gates.css"],
        scripts=[ASSETS / "core.js", ASSETS / "detail.js", own / "gates.js"],
    )
    write_text(path, page)
