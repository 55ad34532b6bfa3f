"""Corpora by name, in their publishers' layouts, with the project's clips as their audio."""

import shutil

import pytest

from asr.cli.main import main
from asr.corpora.manifest import read_manifest
from asr.corpora.named import READERS


@pytest.fixture
def clips(librivox):
    """Paths and texts of three clips."""
    return [(utterance.audio_filepath, utterance.text) for utterance in librivox[:3]]


def place(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def prepared(tmp_path, corpus, *options):
    output = tmp_path / "manifests"
    assert main(["prepare", corpus, str(tmp_path / "corpora"), "-o", str(output), *options]) == 0
    (manifest,) = output.glob("*.jsonl")
    return manifest.stem, read_manifest(manifest)


def test_arctic(tmp_path, clips):
    for speaker, (audio, text) in zip(("bdl", "slt"), clips, strict=False):
        folder = tmp_path / "corpora" / "cmu_arctic" / f"cmu_us_{speaker}_arctic"
        place(audio, folder / "wav" / "arctic_a0001.wav")
        (folder / "etc").mkdir()
        (folder / "etc" / "txt.done.data").write_text(f'( arctic_a0001 "{text.capitalize()}." )\n')
    name, utterances = prepared(tmp_path, "arctic")
    assert name == "arctic"
    assert [(u.utterance_id, u.speaker, u.text) for u in utterances] == [
        ("bdl_arctic_a0001", "bdl", clips[0][1]),
        ("slt_arctic_a0001", "slt", clips[1][1]),
    ]


def test_arctic_of_one_speaker(tmp_path, clips):
    test_arctic(tmp_path, clips)
    shutil.rmtree(tmp_path / "manifests")
    name, utterances = prepared(tmp_path, "arctic", "--subset", "slt")
    assert name == "arctic-slt"
    assert [u.speaker for u in utterances] == ["slt"]


def test_common_voice(tmp_path, clips):
    folder = tmp_path / "corpora" / "cv-corpus-20.0" / "en"
    rows = ["client_id\tpath\tsentence\tup_votes"]
    for number, (audio, text) in enumerate(clips):
        place(audio, folder / "clips" / f"common_voice_en_{number}.wav")
        rows.append(f"c{number}\tcommon_voice_en_{number}.wav\t{text.capitalize()}!\t2")
    (folder / "train.tsv").write_text("\n".join(rows) + "\n")
    (folder / "clip_durations.tsv").write_text("clip\tduration[ms]\nx\t1\n")
    name, utterances = prepared(tmp_path, "common-voice", "--subset", "train")
    assert name == "common-voice-train"
    assert [(u.speaker, u.text) for u in utterances] == [
        (f"c{number}", text) for number, (_, text) in enumerate(clips)
    ]


def test_ljspeech(tmp_path, clips):
    folder = tmp_path / "corpora" / "LJSpeech-1.1"
    rows = []
    for number, (audio, text) in enumerate(clips):
        place(audio, folder / "wavs" / f"LJ001-000{number}.wav")
        rows.append(f"LJ001-000{number}|Mr. 1|{text.capitalize()},")
    (folder / "metadata.csv").write_text("\n".join(rows) + "\n")
    name, utterances = prepared(tmp_path, "ljspeech")
    assert name == "ljspeech"
    assert [(u.speaker, u.text) for u in utterances] == [("lj", text) for _, text in clips]


def test_vctk_of_either_version(tmp_path, clips):
    folder = tmp_path / "corpora" / "VCTK-Corpus-0.92"
    places = ("wav48/p225/p225_001.wav", "wav48_silence_trimmed/p226/p226_001_mic1.flac")
    for place_in, (audio, text) in zip(places, clips, strict=False):
        place(audio, folder / place_in)
        speaker = place_in.split("/")[1]
        (folder / "txt" / speaker).mkdir(parents=True)
        (folder / "txt" / speaker / f"{speaker}_001.txt").write_text(text.lower())
    name, utterances = prepared(tmp_path, "vctk")
    assert name == "vctk"
    assert [(u.utterance_id, u.speaker) for u in utterances] == [
        ("p225_001", "p225"),
        ("p226_001", "p226"),
    ]


def write_kaldi(folder, clips):
    for number, (audio, _) in enumerate(clips):
        place(audio, folder / "WAVE" / f"{number}.wav")
    (folder / "train").mkdir()
    for name, values in {
        "wav.scp": [f"WAVE/{number}.wav" for number in range(len(clips))],
        "text": [text for _, text in clips],
        "utt2spk": ["s1", "s1", "s2"],
    }.items():
        rows = (f"u{number} {value}\n" for number, value in enumerate(values))
        (folder / "train" / name).write_text("".join(rows))


def test_speechocean762_has_kaldi_s_form(tmp_path, clips):
    write_kaldi(tmp_path / "corpora" / "speechocean762", clips)
    name, utterances = prepared(tmp_path, "speechocean762")
    assert name == "speechocean762"
    assert [(u.speaker, u.text) for u in utterances] == [
        (speaker, text) for speaker, (_, text) in zip(("s1", "s1", "s2"), clips, strict=True)
    ]


def test_commands_in_wav_scp_are_reported(tmp_path, clips, capsys):
    folder = tmp_path / "corpora"
    write_kaldi(folder, clips)
    with open(folder / "train" / "wav.scp", "a") as file:
        file.write("u9 sph2pipe -f wav x.sph |\n")
    with open(folder / "train" / "text", "a") as file:
        file.write("u9 HELLO\n")
    _, utterances = prepared(tmp_path, "kaldi", "--name", "mine")
    assert len(utterances) == 3
    assert "u9: wav.scp has a command for it" in capsys.readouterr().err


@pytest.mark.parametrize("corpus", READERS)
def test_a_folder_without_the_corpus_is_one_sentence(tmp_path, corpus, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["prepare", corpus, str(tmp_path / "empty"), "-o", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert f"{tmp_path / 'empty'} holds no " in error
    assert len(error.splitlines()) == 1


def test_a_subset_that_is_missing_is_named_beside_those_there(tmp_path, clips, capsys):
    test_arctic(tmp_path, clips)
    command = ["prepare", "arctic", str(tmp_path / "corpora"), "--subset", "jmk", "-o", "x"]
    assert main(command) == 1
    assert "has no subset jmk; it has bdl, slt" in capsys.readouterr().err
