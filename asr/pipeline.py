"""A recipe from end to end, in stages: prepare, train, evaluate.

A stage leaves behind what tells it is done: a manifest, a finished training state, a file of
results for the very weights that are there. What is done is skipped, what was broken off goes on.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import asr
from asr.checkpoint import WEIGHTS
from asr.config import Recipe
from asr.corpora import librispeech
from asr.corpora.summary import print_summary
from asr.data import manifest_path
from asr.decode import DECODERS
from asr.evaluate import describe_machine, evaluate, print_table, read_data, to_record
from asr.files import write_text
from asr.manifest import read_manifest
from asr.progress import console
from asr.train import train

RESULTS = "results.json"


def run(recipe: Recipe, root: Path, download: bool = False) -> list[dict[str, Any]]:
    """Carries out the stages that are not done yet and prints the table of error rates.

    Args:
        root: a folder in LibriSpeech's layout.
        download: fetch the subsets that are missing there.

    Returns:
        One record for each test set and decoder (:func:`asr.evaluate.to_record`).
    """
    data = recipe.data
    # What a recipe names by path has been prepared by hand.
    names = {n for n in (*data.train, *data.dev, *data.test) if not n.endswith(".jsonl")}
    missing = sorted(name for name in names if not _is_prepared(manifest_path(data, name), root))
    if missing:
        console.rule(f"prepare {', '.join(missing)}")
        summaries = librispeech.prepare(root, missing, Path(data.manifests), download=download)
        for summary in summaries:
            print_summary(summary, console)

    console.rule("train")
    model = train(recipe, resume=True)

    results = recipe.folder / RESULTS
    records = _read_results(results, model)
    if records is None:
        console.rule("evaluate")
        records = []
        for name in data.test:
            for decoder in DECODERS:
                transcriber = asr.load(model, decoder=decoder, device=recipe.train.device)
                evaluation = evaluate(transcriber, read_data(manifest_path(data, name)))
                for failure in evaluation.failures:
                    console.print(f"not scored: {failure}", style="yellow", markup=False)
                machine = describe_machine(transcriber)
                records.append({**to_record(evaluation), "decoder": decoder, **machine})
        report = {"weights": _digest(model), "sets": records}
        write_text(results, json.dumps(report, indent=2) + "\n")
    print_table(records, f"{recipe.name} ({model})", console)
    return records


def _is_prepared(manifest: Path, root: Path) -> bool:
    """True if the manifest is there and is of the corpus in ``root``."""
    if not manifest.exists():
        return False
    audio = Path(read_manifest(manifest)[0].audio_filepath).resolve()
    return root.resolve() in audio.parents


def _read_results(path: Path, model: Path) -> list[dict[str, Any]] | None:
    """The records of an earlier run of the last stage, if they are of these weights."""
    if not path.exists():
        return None
    report = json.loads(path.read_text(encoding="utf-8"))
    records: list[dict[str, Any]] = report["sets"]
    return records if report["weights"] == _digest(model) else None


def _digest(model: Path) -> str:
    return hashlib.sha256((model / WEIGHTS).read_bytes()).hexdigest()
