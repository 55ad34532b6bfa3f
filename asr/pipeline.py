"""A recipe from end to end, in stages: prepare, train, language model, tune, evaluate.

RUN/model/              the model; where there is text, also words.lm, words.lexicon, words.lstm
                        and decoder.yaml
RUN/decoder-SET.yaml    decoder configs, each tuned on one set
RUN/results.json        error rates

A stage leaves behind what tells it is done: manifests, a finished training state, and for those
after it a note of what their results were made from. What is done is skipped, what was broken off
goes on.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import asr
from asr.card import with_results
from asr.checkpoint import CARD, WEIGHTS, load_model
from asr.config import DataConfig, Recipe
from asr.corpora import folder, librispeech
from asr.corpora.summary import print_summary
from asr.data import manifest_path
from asr.decode.config import (
    DECODER,
    DecoderConfig,
    SecondPassConfig,
    write_decoder_config,
)
from asr.device import choose_device
from asr.evaluate import describe_run, evaluate, read_data
from asr.files import digest, write_text
from asr.manifest import read_manifest
from asr.progress import console
from asr.results import to_record
from asr.tables import print_table, to_markdown
from asr.tokenizer import PhoneTokenizer
from asr.train import train

RESULTS = "results.json"
LANGUAGE_MODEL = "words.lm"
LEXICON = "words.lexicon"  # its words as phones, where the head that is searched emits those
RECURRENT = "words.lstm"  # for the second pass

Record = dict[str, Any]


def run(
    recipe: Recipe, roots: Sequence[Path], texts: Sequence[Path] = (), download: bool = False
) -> list[Record]:
    """Carries out the stages that are not done yet and prints the table of error rates.

    Args:
        recipe: what is made.
        roots: folders in LibriSpeech's layout, or with the tables that the recipe names.
        texts: for a language model, as :func:`asr.lm.train.train` takes them; none for none.
        download: fetch the subsets that are missing in ``root``.

    Returns:
        One record for each test set and decoder (:func:`asr.results.to_record`).
    """
    for stage in recipe.stages:
        _prepare(stage.data, roots, download)
    console.rule("train")
    model = train(recipe, resume=True)
    origin: Record = {"weights": digest(model / WEIGHTS)}
    configs: dict[str, Path] = {}
    if texts:
        sources = [*texts, *(manifest_path(recipe.data, name) for name in recipe.data.train)]
        origin["lm"] = _train_language_model(recipe, model, sources)
        if recipe.lm.recurrent:
            origin["recurrent"] = _train_recurrent(recipe, model, sources)
        if recipe.lm.readings:
            origin["readings"] = recipe.lm.readings
        configs = _tune(recipe, model, origin)
    records = _evaluate(recipe, model, configs, origin)
    card = (model / CARD).read_text(encoding="utf-8")
    write_text(model / CARD, with_results(card, to_markdown(records, _tuned_on(recipe.data))))
    print_table(records, f"{recipe.name} ({model})", console)
    return records


def _prepare(data: DataConfig, roots: Sequence[Path], download: bool) -> None:
    output = Path(data.manifests)
    names = {*data.train, *data.dev, *data.test, *data.tune.values()}
    # What a recipe names by path has been prepared by hand.
    ours = sorted(name for name in names if not name.endswith(".jsonl"))
    missing = [name for name in ours if not _is_prepared(manifest_path(data, name), roots)]
    if missing:
        console.rule(f"prepare {', '.join(missing)}")
    subsets = defaultdict(list)  # by their root
    for name in missing:
        if name in data.tables:
            root = _holding(roots, data.tables[name])
            table = root / data.tables[name]
            print_summary(folder.prepare(table.parent, output, table=table, name=name), console)
        else:
            subsets[_holding(roots, name, f"LibriSpeech/{name}")].append(name)
    for root, there in subsets.items():
        for summary in librispeech.prepare(root, there, output, download=download):
            print_summary(summary, console)


def _holding(roots: Sequence[Path], *paths: str) -> Path:
    """The root that has one of the paths, or else the first one: it is said to lack it."""
    return next((root for root in roots for path in paths if (root / path).exists()), roots[0])


def _train_language_model(recipe: Recipe, model: Path, sources: Sequence[Path]) -> Record:
    """Makes the model's language model; returns what it was made from."""
    from asr.lexicon.build import build_lexicon
    from asr.lexicon.pronouncer import english
    from asr.lm import save
    from asr.lm.ngram import SPECIAL_WORDS
    from asr.lm.train import train as train_lm

    made_from = recipe.lm.model_dump(exclude={"readings", "recurrent"}) | _sizes(sources)
    note = recipe.folder / "lm.json"
    if _read(note) != made_from or not (model / LANGUAGE_MODEL).exists():
        console.rule("language model")
        lm = train_lm(
            sources,
            order=recipe.lm.order,
            vocabulary=recipe.lm.vocabulary,
            max_bytes=int(recipe.lm.max_size * 1e6),
        )
        save(lm, model / LANGUAGE_MODEL)
        if load_model(model).tokenizer_of(recipe.lm.head).kind == PhoneTokenizer.kind:
            words = lm.words[len(SPECIAL_WORDS) :]
            build_lexicon(words, english())[0].write(model / LEXICON)
        write_text(note, json.dumps(made_from, indent=2) + "\n")
    return made_from


def _train_recurrent(recipe: Recipe, model: Path, sources: Sequence[Path]) -> Record:
    """Makes the language model of the second pass; returns what it was made from."""
    from asr.lm.recurrent_training import train_recurrent

    config = recipe.lm.recurrent
    assert config is not None
    made_from = config.model_dump(mode="json") | _sizes(sources)
    note = recipe.folder / "recurrent.json"
    if _read(note) != made_from or not (model / RECURRENT).exists():
        console.rule("recurrent language model")
        train_recurrent(sources, model / RECURRENT, config, resume=True)
        write_text(note, json.dumps(made_from, indent=2) + "\n")
    return made_from


def _sizes(sources: Sequence[Path]) -> Record:
    return {"texts": {path.name: path.stat().st_size for path in sources}}


def _tune(recipe: Recipe, model: Path, origin: Record) -> dict[str, Path]:
    """Makes a decoder config on each set that one is tuned on; returns them by test set."""
    from asr.tune import tune_decoder

    data = recipe.data
    chosen = _tuned_on(data)
    paths = {}
    for name in dict.fromkeys([*chosen.values(), data.dev[0]]):
        path = paths[name] = recipe.folder / f"decoder-{Path(name).stem}.yaml"
        note = path.with_suffix(".json")
        if _read(note) == origin and path.exists():
            continue
        console.rule(f"tune on {name}")
        config, _, failures = tune_decoder(
            load_model(model),
            read_manifest(manifest_path(data, name)),
            _decoder(recipe, model),
            choose_device(recipe.train.device),
        )
        _report(f"not tuned on: {failure}" for failure in failures)
        write_decoder_config(path, config)
        write_text(note, json.dumps(origin, indent=2) + "\n")
        if name == data.dev[0]:
            write_decoder_config(model / DECODER, config)
    return {name: paths[tuned_on] for name, tuned_on in chosen.items()}


def _decoder(recipe: Recipe, model: Path) -> DecoderConfig:
    """The parts of the beam search, with weights yet to be found."""
    second_pass = None
    if recipe.lm.readings:
        recurrent = str(model / RECURRENT) if recipe.lm.recurrent else None
        second_pass = SecondPassConfig(readings=recipe.lm.readings, recurrent=recurrent)
    return DecoderConfig(
        head=recipe.lm.head,
        lm=str(model / LANGUAGE_MODEL),
        lexicon=str(model / LEXICON) if (model / LEXICON).exists() else None,
        second_pass=second_pass,
    )


def _tuned_on(data: DataConfig) -> dict[str, str]:
    """On which set the beam search is tuned, by the set that is scored with it."""
    return {name: data.tune.get(name, data.dev[0]) for name in data.test}


def _evaluate(
    recipe: Recipe, model: Path, configs: dict[str, Path], origin: Record
) -> list[Record]:
    """Scores what is not scored yet; each record is kept as soon as it is there."""
    results = recipe.folder / RESULTS
    decoders = {name: digest(path) for name, path in configs.items()}
    made_from = {**origin, "decoders": decoders, "sets": list(recipe.data.test)}
    report = _read(results)
    current = report is not None and report.get("made_from") == made_from
    records: list[Record] = report["sets"] if report and current else []
    wanted: list[tuple[str, Record]] = []
    for name in recipe.data.test:
        wanted += [(name, {"decoder": "greedy"}), (name, {"decoder": "beam", "lm": "none"})]
        if name in configs:
            tuned = {"decoder": "beam", "config": configs[name]}
            wanted.append((name, {**tuned, "rescore": False}))
            if recipe.lm.readings:
                wanted.append((name, tuned))
    if len(records) < len(wanted):
        console.rule("evaluate")
    for name, settings in wanted[len(records) :]:
        (test_set,) = read_data(manifest_path(recipe.data, name))
        transcriber = asr.load(model, device=recipe.train.device, **settings)
        evaluation = evaluate(transcriber, test_set)
        _report(f"not scored: {failure}" for failure in evaluation.failures)
        records.append(to_record(evaluation) | describe_run(transcriber))
        write_text(results, json.dumps({"made_from": made_from, "sets": records}, indent=2) + "\n")
    return records


def _is_prepared(manifest: Path, roots: Sequence[Path]) -> bool:
    """True if the manifest is there and is of the corpora in ``roots``."""
    if not manifest.exists():
        return False
    audio = Path(read_manifest(manifest)[0].audio_filepath).resolve()
    return any(root.resolve() in audio.parents for root in roots)


def _read(path: Path) -> Record | None:
    """The JSON object that an earlier run left, if it did."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # what can't be read is made again
        return None
    return record if isinstance(record, dict) else None


def _report(problems: Iterable[str]) -> None:
    for problem in problems:
        console.print(problem, style="yellow", markup=False)
