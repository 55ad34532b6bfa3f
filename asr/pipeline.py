"""A recipe from end to end, in stages: prepare, train, speller, language model, tune, evaluate.

RUN/model/              the model; with text also words.lm, words.lexicon, words.lstm, decoder.yaml
RUN/speller/model/      the model with a speller, if the recipe has one, and the files beside it
RUN/decoder-SET.yaml    decoder configs, each tuned on one set; the first dev set's is the model's
RUN/results.json        error rates

A stage that is done is skipped, one that was interrupted goes on. Preparing is done when its
manifests exist, training when its state is finished. Each later stage writes a note of its inputs,
files by their digests (a few seconds for gigabytes of text), and is done while they are the same.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import asr
from asr.acoustic.card import with_results
from asr.acoustic.folder import CARD, WEIGHTS, open_model
from asr.config.data import DataConfig
from asr.config.schema import Recipe
from asr.corpora import folder, librispeech, named
from asr.corpora.manifest import read_manifest
from asr.corpora.summary import print_summary
from asr.decoding.decoder_config import (
    DECODER,
    DecoderConfig,
    SecondPassConfig,
    read_decoder_config,
    write_decoder_config,
)
from asr.errors import AsrError
from asr.evaluation.evaluate import describe_run, evaluate, read_data
from asr.lexicon.build import build_lexicon
from asr.lexicon.pronouncer import english
from asr.ngram import save
from asr.ngram.estimation import train as train_lm
from asr.ngram.model import SPECIAL_WORDS
from asr.runtime.files import digest, remove, write_text
from asr.runtime.progress import console
from asr.scoring.console_tables import print_table, to_markdown
from asr.scoring.figures import Figures, summarise
from asr.tokenizers.tokenizer import PhoneTokenizer
from asr.training.acoustic import train
from asr.training.dataset import manifest_path
from asr.training.lstm_lm import train_recurrent
from asr.training.speller.train import train_speller
from asr.tuning.tune import tune_decoder

RESULTS = "results.json"
LANGUAGE_MODEL = "words.lm"
LEXICON = "words.lexicon"  # pronunciations of its words, if the decoded head emits phones
RECURRENT = "words.lstm"  # for the second pass

Record = dict[str, Any]
Contents = list[list[str]]  # paths and digests of files, in the order in which they are read


def run(
    recipe: Recipe, roots: Sequence[Path], texts: Sequence[Path] = (), download: bool = False
) -> tuple[list[Record], list[str]]:
    """Carries out the stages that are not done yet and prints the table of error rates.

    Args:
        recipe: the settings of all stages.
        roots: folders that hold the corpora, LibriSpeech's subsets and tables of the recipe.
        texts: for language models, as :func:`asr.ngram.estimation.train` takes them, but no
            pipes. Without texts there is no language model and no speller.
        download: fetch the subsets that are missing in ``root``.

    Returns:
        One record for each test set and decoder (:class:`asr.scoring.figures.Figures`), and one
        sentence for each utterance that could not be scored or tuned on.
    """
    _check(recipe, texts)
    read = _contents(texts)  # first of all: a name may be mistyped
    for stage in recipe.stages:
        _prepare(stage.data, roots, download)
    console.rule("train")
    model = train(recipe, resume=True)
    if recipe.speller and texts:
        transcripts = [manifest_path(recipe.data, name) for name in recipe.data.train]
        model = _train_speller(recipe, model, [*texts, *transcripts], read + _contents(transcripts))
    origin: Record = {"weights": digest(model / WEIGHTS)}
    configs: dict[str, Path] = {}
    failures: list[str] = []
    if texts:
        transcripts = [manifest_path(recipe.data, name) for name in recipe.data.train]
        sources = [*texts, *transcripts]
        read += _contents(transcripts)
        origin["lm"] = _train_language_model(recipe, model, sources, read)
        if recipe.lm.recurrent:
            origin["recurrent"] = _train_recurrent(recipe, model, sources, read)
        if recipe.lm.readings:
            origin["readings"] = recipe.lm.readings
        configs, untuned = _tune(recipe, model, origin)
        failures += (f"not tuned on: {failure}" for failure in untuned)
    records = _evaluate(recipe, model, configs, origin)
    failures += (f"not scored: {failure}" for record in records for failure in record["failures"])
    sets = [Figures.from_json(record) for record in records]
    card = (model / CARD).read_text(encoding="utf-8")
    write_text(model / CARD, with_results(card, to_markdown(sets, _tuned_on(recipe.data))))
    print_table(sets, f"{recipe.name} ({model})", console)
    return records, list(dict.fromkeys(failures))  # every decoder has the same


def _check(recipe: Recipe, texts: Sequence[Path]) -> None:
    """Refuses settings that would fail, or be of no use, after hours of training."""
    for path in texts:
        if path == Path("-") or (os.path.exists(path) and not os.path.isfile(path)):
            raise AsrError(f"the text {path} is read several times, which needs a file; name one")
    for name, source in recipe.data.corpora.items():
        if source.corpus not in named.READERS:
            raise AsrError(
                f"data.corpora.{name} names the corpus {source.corpus}, which is not known; known "
                f"are {', '.join(named.READERS)}"
            )
    lm = recipe.lm
    if texts and lm.head == "intermediate" and not recipe.model.intermediate_layer:
        raise AsrError(
            "lm.head is intermediate, but the model has no such head; "
            "set lm.head=main or give model.intermediate_layer a layer"
        )
    units = recipe.units.intermediate or recipe.units.kind
    if texts and recipe.speller and (not recipe.model.intermediate_layer or units == "bpe"):
        raise AsrError(
            "a speller needs a second head of phones or characters; give model.intermediate_layer "
            "a layer and set units.intermediate=phones, or set speller=null"
        )
    if texts and lm.recurrent and not lm.readings:
        raise AsrError(
            "lm.recurrent is asked in a second pass only, and lm.readings=0 means none; "
            "set lm.readings=100 or lm.recurrent=null"
        )


def _prepare(data: DataConfig, roots: Sequence[Path], download: bool) -> None:
    output = Path(data.manifests)
    names = {*data.train, *data.dev, *data.test, *data.tune.values()}
    # Manifests that a recipe names by path are the user's own.
    ours = sorted(name for name in names if not name.endswith(".jsonl"))
    for name in sorted(names.difference(ours)):
        read_data(name)  # raises an error if it is not there
    missing = [name for name in ours if not _is_prepared(manifest_path(data, name), roots)]
    if missing:
        console.rule(f"prepare {', '.join(missing)}")
    subsets = defaultdict(list)  # by their root
    for name in missing:
        if name in data.corpora:
            source = data.corpora[name]
            corpus = named.find_root(source.corpus, roots) or roots[0]
            parts = source.subsets or None
            summary = named.prepare(source.corpus, corpus, output, subsets=parts, name=name)
            print_summary(summary, console)
        elif name in data.tables:
            root = _holding(roots, data.tables[name])
            table = root / data.tables[name]
            print_summary(folder.prepare(table.parent, output, table=table, name=name), console)
        else:
            subsets[_holding(roots, name, f"LibriSpeech/{name}")].append(name)
    for root, there in subsets.items():
        for summary in librispeech.prepare(root, there, output, download=download):
            print_summary(summary, console)


def _holding(roots: Sequence[Path], *paths: str) -> Path:
    """The root that has one of the paths, or else the first one, which an error then names."""
    return next((root for root in roots for path in paths if (root / path).exists()), roots[0])


def _train_speller(recipe: Recipe, model: Path, sources: Sequence[Path], read: Contents) -> Path:
    """Adds a speller to the model; returns the folder of the new one."""
    assert recipe.speller is not None
    settings = recipe.speller.model_dump(mode="json")
    made_from = {"speller": settings, "weights": digest(model / WEIGHTS), "texts": read}
    note = recipe.folder / "speller.json"
    output = recipe.folder / "speller" / "model"
    if _read(note) != made_from or not (output / WEIGHTS).exists():
        console.rule("speller")
        train_speller(recipe, model, output, sources, resume=True)
        write_text(note, json.dumps(made_from, indent=2) + "\n")
    return output


def _train_language_model(
    recipe: Recipe, model: Path, sources: Sequence[Path], read: Contents
) -> Record:
    """Trains the n-gram language model; returns its inputs."""
    units = open_model(model).tokenizer_of(recipe.lm.head).kind
    settings = recipe.lm.model_dump(exclude={"readings", "recurrent"})
    made_from = settings | {"units": units, "texts": read}
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
        if units == PhoneTokenizer.kind:
            words = lm.words[len(SPECIAL_WORDS) :]
            build_lexicon(words, english())[0].write(model / LEXICON)
        else:
            remove(model / LEXICON)  # of another head, decoded before
        write_text(note, json.dumps(made_from, indent=2) + "\n")
    return made_from


def _train_recurrent(
    recipe: Recipe, model: Path, sources: Sequence[Path], read: Contents
) -> Record:
    """Trains the LSTM language model of the second pass; returns its inputs."""
    config = recipe.lm.recurrent
    assert config is not None
    made_from = config.model_dump(mode="json") | {"texts": read}
    note = recipe.folder / "recurrent.json"
    if _read(note) != made_from or not (model / RECURRENT).exists():
        console.rule("recurrent language model")
        train_recurrent(sources, model / RECURRENT, config, resume=True)
        write_text(note, json.dumps(made_from, indent=2) + "\n")
    return made_from


def _contents(files: Iterable[Path]) -> Contents:
    """Files as a note lists them."""
    return [[str(path), digest(path)] for path in files]


def _tune(recipe: Recipe, model: Path, origin: Record) -> tuple[dict[str, Path], list[str]]:
    """Tunes a decoder config on each set that the recipe names, and writes the model's own.

    Returns:
        The configs by test set, and one sentence for each utterance that could not be tuned on.
    """
    data = recipe.data
    chosen = _tuned_on(data)
    paths = {}
    failures: list[str] = []
    for name in dict.fromkeys([*chosen.values(), data.dev[0]]):
        manifest = manifest_path(data, name)
        path = paths[name] = recipe.folder / f"decoder-{_label(name)}.yaml"
        note = path.with_suffix(".json")
        made_from = {**origin, "sets": _contents([manifest])}
        done = _read(note) or {}
        if done.get("made_from") != made_from or not path.exists():
            console.rule(f"tune on {name}")
            (dev_set,) = read_data(manifest)
            config, _, skipped = tune_decoder(
                open_model(model),
                dev_set.utterances,
                _decoder(recipe, model),
                recipe.train.device,
            )
            write_decoder_config(path, config)
            done = {"made_from": made_from, "failures": [*dev_set.problems, *skipped]}
            write_text(note, json.dumps(done, indent=2) + "\n")
        failures += done["failures"]
    write_decoder_config(model / DECODER, read_decoder_config(paths[data.dev[0]]))
    return {name: paths[tuned_on] for name, tuned_on in chosen.items()}, failures


def _label(name: str) -> str:
    """A set's name in a file's name; two folders may have a dev.jsonl each."""
    if not name.endswith(".jsonl"):
        return name
    return f"{Path(name).stem}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}"


def _decoder(recipe: Recipe, model: Path) -> DecoderConfig:
    """The decoder before tuning."""
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
    """For each test set, the set that its decoder is tuned on."""
    return {name: data.tune.get(name, data.dev[0]) for name in data.test}


def _evaluate(
    recipe: Recipe, model: Path, configs: dict[str, Path], origin: Record
) -> list[Record]:
    """Scores every test set with every decoder; each record is written as soon as it exists."""
    results = recipe.folder / RESULTS
    decoders = {name: digest(path) for name, path in configs.items()}
    manifests = [manifest_path(recipe.data, name) for name in recipe.data.test]
    made_from = {**origin, "decoders": decoders, "sets": _contents(manifests)}
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
        failures = {"failures": list(evaluation.failures)}
        records.append(summarise(evaluation, describe_run(transcriber)).to_json() | failures)
        write_text(results, json.dumps({"made_from": made_from, "sets": records}, indent=2) + "\n")
    return records


def _is_prepared(manifest: Path, roots: Sequence[Path]) -> bool:
    """Whether the manifest exists and is of the corpora in ``roots``."""
    if not manifest.exists():
        return False
    audio = Path(read_manifest(manifest)[0].audio_filepath).resolve()
    return any(root.resolve() in audio.parents for root in roots)


def _read(path: Path) -> Record | None:
    """The JSON object that an earlier run wrote; None without one."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # an unreadable note: the stage is done again
        return None
    return record if isinstance(record, dict) else None
