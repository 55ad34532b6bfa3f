"""Damaged files through the commands: ``python tests/fuzz.py --count 2000``.

Whatever comes, a command must say what is wrong in a sentence, do the rest as if nothing were,
return the right status, and end. The damage is the same at every run of a seed.
"""

from __future__ import annotations

import argparse
import faulthandler
import io
import json
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import mutants
import numpy as np

from asr.audio.read import load_audio
from asr.cli import main as cli
from asr.corpora.manifest import Utterance, read_manifest, write_manifest

CLIPS = Path(__file__).parent / "data" / "librivox" / "librivox.jsonl"
SEED = 9
_AT_A_TIME = 50  # damaged files in one call
_LONGEST = 300.0  # seconds of a call; what takes longer hangs


class Broken(Exception):
    """A command did what it must not do."""


def check(condition: bool, sentence: str) -> None:
    """Raises Broken unless the condition holds."""
    if not condition:
        raise Broken(sentence)


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    status: int
    complaints: list[str]

    def about(self, name: str) -> list[str]:
        """The complaints that name something."""
        return [line for line in self.complaints if name in line]


def run(*arguments: object) -> Outcome:
    """Runs a command in this process; a hang ends the process with a traceback.

    Raises:
        Broken: it fell over, or its status is not that of its complaints.
    """
    command = "asr " + " ".join(map(str, arguments))[:300]
    out, err = io.StringIO(), io.StringIO()
    faulthandler.dump_traceback_later(_LONGEST, exit=True, file=sys.__stderr__)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            status = cli.main(list(map(str, arguments)))
    except Exception as error:
        raise Broken(f"{command} fell over:\n{traceback.format_exc()}") from error
    finally:
        faulthandler.cancel_dump_traceback_later()
    complaints = [line for line in err.getvalue().split("\n") if line.startswith("asr: ")]
    check(
        status == (1 if complaints else 0), f"{command} returned {status} and said {complaints[:3]}"
    )
    return Outcome(status, complaints)


def good_utterances(folder: Path) -> list[Utterance]:
    """Two seconds of each bundled clip, with the words in them, more or less."""
    folder.mkdir(parents=True)
    utterances = []
    for number, utterance in enumerate(read_manifest(CLIPS)):
        path = folder / f"good-{number}.wav"
        signal = load_audio(utterance.audio_filepath)[: 2 * mutants.RATE]
        path.write_bytes(mutants.encode(signal, mutants.RATE))
        words = utterance.text.split()
        text = " ".join(words[: round(len(words) * 2 / utterance.duration)])
        utterances.append(Utterance(str(path), 2.0, text, path.stem, "one"))
    return utterances


def audio(folder: Path, count: int, random: np.random.Generator) -> None:
    """Damaged audio among good audio, through transcribe, align, prepare and evaluate."""
    good = good_utterances(folder / "good")
    speech = [load_audio(utterance.audio_filepath) for utterance in good]
    expected = _transcripts([Path(u.audio_filepath) for u in good], folder / "expected")[0]
    for number, batch in enumerate(_batched(mutants.audio(speech, random), count)):
        mixed = folder / f"audio-{number}"
        good = good_utterances(mixed)
        for mutant in batch:
            (mixed / mutant.name).write_bytes(mutant.data)
        paths = sorted(mixed.iterdir(), reverse=True)
        texts, outcome = _transcripts(paths, folder / f"texts-{number}")
        for path in paths:  # what is cut off is both
            about = [line for line in outcome.about(str(path)) if " is cut off " not in line]
            done = (path.stem in texts) + len(about)
            check(done == 1, f"{path.name} is neither transcribed nor reported, or both")
        for name, text in expected.items():
            check(texts[name] == text, f"{name} is read otherwise among damaged files")

        pairs = [Utterance(str(path), 2.0, "HE", path.name) for path in paths]
        write_manifest(folder / "pairs.jsonl", pairs)
        aligned = folder / f"aligned-{number}"
        outcome = run("align", "--manifest", folder / "pairs.jsonl", "-o", aligned)
        for path in paths:
            done = (aligned / f"{path.name}.ctm").exists() + len(outcome.about(str(path)))
            check(done == 1, f"{path.name} is neither aligned nor reported, or both")

        for path in paths:
            path.with_suffix(".txt").write_text("HE\n")
        outcome = run("prepare", "folder", mixed, "-o", folder)
        manifest = folder / f"{mixed.name}.jsonl"
        held = {utterance.utterance_id for utterance in read_manifest(manifest)}
        check(expected.keys() <= held, "good audio is not in the manifest")
        _evaluate(manifest, folder, expected)


def lines(folder: Path, count: int, random: np.random.Generator) -> None:
    """Damaged lines of a manifest among good ones, through evaluate and align."""
    good = good_utterances(folder / "good")
    expected = _transcripts([Path(u.audio_filepath) for u in good], folder / "expected")[0]
    record = vars(good[0]) | {"utterance_id": "damaged"}
    manifest = folder / "manifest.jsonl"
    for number, batch in enumerate(_batched(mutants.lines(record, random), count)):
        write_manifest(manifest, good)
        mixed = [*manifest.read_text().splitlines(), *batch]
        order = random.permutation(len(mixed))
        manifest.write_text("\n".join(mixed[i] for i in order), errors="replace")
        _evaluate(manifest, folder, expected)
        aligned = folder / f"aligned-{number}"
        run("align", "--manifest", manifest, "-o", aligned)
        there = {path.stem for path in aligned.iterdir()}
        check(expected.keys() <= there, "a good line was not aligned")


def manifests(folder: Path, count: int, random: np.random.Generator) -> None:
    """Damaged manifests, through evaluate."""
    good = good_utterances(folder / "good")
    path = folder / "manifest.jsonl"
    write_manifest(path, good)
    for data in islice(mutants.texts(path.read_bytes(), random), count):
        path.write_bytes(data)
        run("evaluate", path, "--decoder", "greedy", "--json", folder / "figures.json")


def tables(folder: Path, count: int, random: np.random.Generator) -> None:
    """Damaged tables of transcripts, through prepare."""
    good = good_utterances(folder / "good")
    table = folder / "good" / "table.tsv"
    rows = [("path", "sentence"), *((Path(u.audio_filepath).name, u.text) for u in good)]
    for data in islice(_joined(rows, "\t,;|", random), count):
        table.write_bytes(data)
        run("prepare", "folder", folder / "good", "--table", "table.tsv", "-o", folder)


def transcripts(folder: Path, count: int, random: np.random.Generator) -> None:
    """Damaged texts beside audio, among good ones, and damaged lists, through prepare."""
    for number, batch in enumerate(_batched(mutants.texts(b"HE WAS NOT\n", random), count)):
        mixed = folder / f"texts-{number}"
        good = good_utterances(mixed)
        audio = Path(good[0].audio_filepath).read_bytes()
        for utterance in good:
            Path(utterance.audio_filepath).with_suffix(".txt").write_text(utterance.text)
        for index, data in enumerate(batch):
            (mixed / f"damaged-{index}.wav").write_bytes(audio + bytes(2 * index))
            (mixed / f"damaged-{index}.txt").write_bytes(data)
        run("prepare", "folder", mixed, "-o", folder)
        held = {u.utterance_id for u in read_manifest(folder / f"{mixed.name}.jsonl")}
        check({u.utterance_id for u in good} <= held, "a good text is not in the manifest")

        subset = folder / f"subset-{number}"
        for index, data in enumerate(batch):
            chapter = subset / "dev" / "1" / str(index)
            chapter.mkdir(parents=True)
            (chapter / f"1-{index}.trans.txt").write_bytes(f"1-{index}-0 ".encode() + data)
            (chapter / f"1-{index}-0.wav").write_bytes(audio)
        good_utterances(subset / "dev" / "2" / "0")
        named = "".join(f"{u.utterance_id} {u.text}\n" for u in good)
        (subset / "dev" / "2" / "0" / "2-0.trans.txt").write_text(named)
        run("prepare", "librispeech", subset, "-o", folder)
        held = {u.utterance_id for u in read_manifest(folder / "dev.jsonl")}
        check({u.utterance_id for u in good} <= held, "a good list is not in the manifest")


def scores(folder: Path, count: int, random: np.random.Generator) -> None:
    """Damaged transcripts, as reference and as hypothesis, through score."""
    ids = [f"{speaker}-{number}" for speaker in "ab" for number in range(3)]
    texts = {
        name: "HE WAS NOT AN ILL DISPOSED YOUNG MAN"[: 8 + 4 * i] for i, name in enumerate(ids)
    }
    formats: dict[str, Callable[[str, str], str]] = {
        "trn": lambda name, text: f"{text} ({name})\n",
        "txt": lambda name, text: f"{name} {text}\n",
        "jsonl": lambda name, text: json.dumps({"utterance_id": name, "text": text}) + "\n",
    }
    for number in range(count):
        extension = list(formats)[number % len(formats)]
        data = "".join(formats[extension](*item) for item in texts.items()).encode()
        good, bad = folder / f"good.{extension}", folder / f"bad.{extension}"
        good.write_bytes(data)
        bad.write_bytes(next(mutants.texts(data, random)))
        pair = (good, bad) if random.random() < 0.5 else (bad, good)
        run("score", *pair, "--json", folder / "figures.json")


# What share of all damaged files each kind gets.
KINDS: dict[Callable[[Path, int, np.random.Generator], None], float] = {
    audio: 0.5,
    lines: 0.2,
    tables: 0.1,
    transcripts: 0.075,
    scores: 0.1,
    manifests: 0.025,  # each takes a call with a model of its own
}


def fuzz(kind: Callable[[Path, int, np.random.Generator], None], count: int, seed: int) -> None:
    """Feeds ``count`` damaged files of a kind.

    Raises:
        Broken: a command did what it must not do.
    """
    with tempfile.TemporaryDirectory(prefix="asr-fuzz-") as folder:
        kind(Path(folder), count, np.random.default_rng(seed))


def _batched(items: Iterable[object], count: int) -> Iterator[list]:
    remaining = islice(items, count)
    while batch := list(islice(remaining, _AT_A_TIME)):
        yield batch


def _transcripts(paths: list[Path], output: Path) -> tuple[dict[str, str], Outcome]:
    """The texts that transcribe writes, by the stems of the files."""
    outcome = run("transcribe", *paths, "-o", output, "--decoder", "greedy")
    return {path.stem: path.read_text() for path in output.glob("*.txt")}, outcome


def _evaluate(manifest: Path, folder: Path, expected: dict[str, str]) -> None:
    hypotheses = folder / "hypotheses.txt"
    files = ["--json", folder / "figures.json", "--hyp", hypotheses]
    run("evaluate", manifest, "--decoder", "greedy", *files)
    (figures,) = json.loads((folder / "figures.json").read_text())["sets"]
    check(figures["utterances"] >= len(expected), "a good utterance is not scored")
    read = hypotheses.read_text().split("\n")
    for name, text in expected.items():
        check(f"{name} {text}".strip() in read, f"{name} is not scored as read elsewhere")


def _joined(
    rows: list[tuple[str, str]], delimiters: str, random: np.random.Generator
) -> Iterator[bytes]:
    while True:
        delimiter = delimiters[random.integers(len(delimiters))]
        data = "".join(delimiter.join(row) + "\n" for row in rows).encode()
        yield next(mutants.texts(data, random))


def main() -> int:
    """Feeds all kinds, and prints what broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=40, help="of damaged files (default: 40)")
    parser.add_argument("--seed", type=int, default=SEED, help=f"default: {SEED}")
    parser.add_argument("--kind", choices=[kind.__name__ for kind in KINDS])
    options = parser.parse_args()
    status = 0
    for kind, share in KINDS.items():
        if options.kind not in (None, kind.__name__):
            continue
        count = max(1, round(options.count * (share if options.kind is None else 1)))
        begun = time.process_time()
        try:
            fuzz(kind, count, options.seed)
            result = "all well"
        except Broken as error:
            result, status = str(error), 1
        seconds = time.process_time() - begun
        print(f"{kind.__name__}: {count} in {seconds:.1f} s of CPU: {result}", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
