"""asr score: anybody's transcripts, in the forms that people keep them in."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from asr.cli import main as cli
from asr.corpora.manifest import write_manifest
from asr.errors import AsrError
from asr.scoring.console_tables import print_table
from asr.scoring.figures import RunSetup, summarise
from asr.scoring.pairing import Paired, with_speakers
from asr.scoring.results import score_pairs
from asr.scoring.transcripts import UtteranceText, read_transcripts

TEXTS = {"ann-1": "HELLO THERE", "ann-2": "", "bob-1": "GOOD (UH) MORNING"}
FORMS = {
    "h.trn": ";; a comment\nHELLO THERE (ann-1)\n(ann-2)\nGOOD (UH) MORNING (bob-1)\n",
    "h": "HELLO THERE (ann-1)\r\n(ann-2)\r\n\r\nGOOD (UH) MORNING (bob-1)",
    "h.txt": "ann-1 HELLO THERE\nann-2\nbob-1\tGOOD  (UH) MORNING \n",
    "h.jsonl": "".join(json.dumps({"utterance_id": k, "text": v}) + "\n" for k, v in TEXTS.items()),
}


def score(*arguments):
    return cli.main(["score", *map(str, arguments)])


@pytest.fixture
def files(tmp_path):
    def write(**texts):
        paths = []
        for name, text in texts.items():
            paths.append(tmp_path / name.replace("_", "."))
            paths[-1].write_bytes(text if isinstance(text, bytes) else text.encode())
        return paths

    return write


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_all_forms_say_the_same(tmp_path, name, encoding):
    (tmp_path / name).write_text(FORMS[name], encoding=encoding, newline="")
    found = read_transcripts(tmp_path / name)
    assert {u.utterance_id: " ".join(u.text.split()) for u in found} == TEXTS


def test_a_manifest_brings_speakers_durations_and_audio(librivox, tmp_path):
    write_manifest(tmp_path / "m.jsonl", librivox)
    found = read_transcripts(tmp_path / "m.jsonl")
    for ours, theirs in zip(found, librivox, strict=True):
        assert vars(theirs).items() >= {k: v for k, v in vars(ours).items() if v}.items()


def test_a_folder_in_librispeechs_layout_is_a_reference(tmp_path):
    for chapter in ("1", "2"):
        folder = tmp_path / "7" / chapter
        folder.mkdir(parents=True)
        (folder / f"7-{chapter}.trans.txt").write_text(f"7-{chapter}-0000 WORD {chapter}\n")
    assert [u.text for u in read_transcripts(tmp_path)] == ["WORD 1", "WORD 2"]


def test_one_missing_and_one_extra_utterance_are_named_and_shift_nothing(files, tmp_path, capsys):
    reference, hypothesis = files(
        ref_txt="a ONE TWO\nb THREE\nc FOUR\n", hyp_trn="FOUR (c)\nX (x)\nONE (a)\n"
    )
    assert score(reference, hypothesis, "--json", tmp_path / "s.json") == 1
    errors = capsys.readouterr().err.splitlines()
    assert errors == [
        f"asr: {hypothesis} lacks b: all its words count as deleted",
        f"asr: not scored: x of {hypothesis} is not in the reference",
    ]
    report = json.loads((tmp_path / "s.json").read_text())
    assert (report["missing"], report["extra"]) == (["b"], ["x"])
    (record,) = report["sets"]
    assert (record["utterances"], record["words"], record["wer"]) == (3, 4, 0.5)
    assert (record["substitutions"], record["deletions"], record["insertions"]) == (0, 2, 0)


def test_the_table_and_the_tables_of_details_fit_a_hundred_columns(files, capsys):
    said = (
        "".join(f"s{n % 7}-{n} [NOISE] WORD AND ANOTHER {'LONG' * 9}{n}\n" for n in range(50))
        + "s1-x\n"
    )
    heard = "".join(f"s{n % 7}-{n} [/b] WORD AN OTHER {n}\n" for n in range(50)) + "s1-x OH NO\n"
    reference, hypothesis = files(ref_txt=said, hyp_txt=heard)
    assert score(reference, hypothesis, "--details", "--speakers", "id") == 0
    shown = capsys.readouterr().out
    assert "Intervals: bootstrap over speakers." in shown
    assert "Silence: 2 words inserted in 1 of 1 utterances" in shown
    assert "[NOISE] > [/b]" in shown
    for title in ("by speaker", "by length", "most frequent errors"):
        assert title in shown
    assert max(map(len, shown.splitlines()[1:])) <= 100  # above them stand the files


@pytest.mark.parametrize("terminal", [None, 40, 80, 300])
def test_no_figure_is_ever_cut(terminal):
    said = [UtteranceText(str(n), "ONE TWO") for n in range(90)]
    heard = ["ONE", "THREE FOUR", "ONE TWO"] * 30
    names = ["train-clean-360-of-the-other-year", "a"]
    run = RunSetup("beam + LM, rescored twice", "cpu", 1)
    sets = [
        replace(summarise(score_pairs(name, Paired(said, heard, [], [])), run), rtf=0.01)
        for name in names
    ]
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=bool(terminal), width=terminal or 80)
    print_table(sets, "", console)
    low, high = sets[0].wer_interval
    figures = f"90 180 50.00 {100 * low:.2f}-{100 * high:.2f} 60 30 0"
    lines = shown.getvalue().splitlines()
    assert sum(figures in " ".join(line.split()) for line in lines) == 2
    assert "…" not in shown.getvalue()
    # Names take several lines where there is little room.
    assert any(names[0] in line for line in lines) == (terminal in (None, 300))
    if terminal == 80:
        assert max(map(len, lines)) <= terminal


def test_texts_are_compared_as_they_are_unless_told_otherwise(files):
    reference, hypothesis = files(ref_txt="a Don’t go, café!\n", hyp_txt="a DON'T GO CAFE\n")
    path = reference.parent / "s.json"

    def wer(*options):
        assert score(reference, hypothesis, "--json", path, *options) == 0
        report = json.loads(path.read_text())
        assert report["normalise"] == ("--normalise" in options)
        return report["sets"][0]["wer"]

    assert wer() == 1.0
    assert wer("--ignore-case") == 1.0
    assert wer("--normalise") == 0.0


def test_speakers_come_from_ids_or_a_file(files):
    (path, table, short) = files(
        r_trn=FORMS["h.trn"], utt2spk="ann-1 A\nann-2 A\nbob-1 B\n", s_txt="ann-1 A\n"
    )
    found = read_transcripts(path)
    assert [u.speaker for u in with_speakers(found, "id")] == ["ann", "ann", "bob"]
    assert [u.speaker for u in with_speakers(found, str(table))] == ["A", "A", "B"]
    with pytest.raises(AsrError, match=r"s\.txt has no speaker for the utterance ann-2"):
        with_speakers(found, str(short))


def test_an_utterance_id_may_be_zero(files):
    record = {"utterance_id": 0, "audio_filepath": "a.wav", "text": "ONE"}
    (path,) = files(h_jsonl=json.dumps(record) + "\n" + json.dumps(record | {"utterance_id": ""}))
    assert [u.utterance_id for u in read_transcripts(path)] == ["0", "a"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("h.txt", "a ONE\na TWO\n", "the utterance a stands twice, in line 1"),
        ("h.trn", "ONE (a)\nTWO\n", "line 2 of {} does not end with an utterance id"),
        (
            "h.jsonl",
            '{"utterance_id": "a", "text": "ONE"}\n{"utter',
            "line 2 of {} is not a JSON obj",
        ),
        (
            "h.jsonl",
            '{"utterance_id": "a", "text": "\\ud800"}',
            "line 1 of {} is not a JSON object",
        ),
        ("h.jsonl", '{"utterance_id": "a"}', "line 1 of {} has no text"),
        ("h.jsonl", '{"text": "ONE"}', "line 1 of {} has neither utterance_id nor audio_filepath"),
        ("h.jsonl", "[" * 100_000, "line 1 of {} is not a JSON object"),
        ("h.txt", "a ONE\x07\n", "line 1 of {} holds control characters"),
        ("h.txt", bytes(range(256)), "{} is not UTF-8 text"),
        ("h.txt", "a ONE".encode("utf-16-le"), "{} is not UTF-8 text"),
        ("h.txt", "\n \n", "{} holds no transcript"),
        ("h.txt", "b ONE\n", "no utterance in common: the first ids are a and b"),
        ("missing/h.txt", None, "{} does not exist"),
    ],
)
def test_what_can_not_be_read_is_one_clear_sentence(tmp_path, capsys, name, content, message):
    (tmp_path / "ref.txt").write_text("a ONE\n")
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert score(tmp_path / "ref.txt", path) == 1
    captured = capsys.readouterr()
    assert message.format(path) in captured.err
    assert len(captured.err.splitlines()) == 1
    assert captured.out == ""


def test_a_place_that_cannot_be_written_to_is_one_clear_sentence(files, tmp_path, capsys):
    reference, hypothesis = files(ref_txt="a ONE\n", hyp_txt="a ONE\n")
    (tmp_path / "way").write_text("in it")
    for option in ("--json", "--sclite"):
        assert score(reference, hypothesis, option, tmp_path / "way" / "out") == 1
        (complaint,) = capsys.readouterr().err.splitlines()
        assert complaint.startswith(f"asr: {tmp_path / 'way' / 'out'}")
        assert "can't be written: " in complaint
