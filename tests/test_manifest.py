import json

import pytest

from asr.corpora.manifest import Utterance, read_manifest, write_manifest
from asr.errors import AsrError


def test_what_is_written_is_read(tmp_path):
    utterances = [
        Utterance("/speech/a.flac", 1.5, "ONE", "a", "7"),
        Utterance("/speech/b.flac", 2.0, "", "b"),
    ]
    write_manifest(tmp_path / "m.jsonl", utterances)
    assert read_manifest(tmp_path / "m.jsonl") == utterances


def test_reads_manifests_made_elsewhere(tmp_path):
    line = {"audio_filepath": "wavs/x.wav", "duration": 3, "text": "é", "lang": "fr"}
    (tmp_path / "m.jsonl").write_text("\n" + json.dumps(line) + "\n")
    (utterance,) = read_manifest(tmp_path / "m.jsonl")
    assert utterance == Utterance(str(tmp_path / "wavs/x.wav"), 3.0, "é", "x")
    (tmp_path / "m.jsonl").write_text(json.dumps(line | {"utterance_id": 0}))
    assert read_manifest(tmp_path / "m.jsonl")[0].utterance_id == "0"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2 of the manifest .* is not a JSON object"),
        ("[1]", "is not a JSON object"),
        ('{"duration": 1, "text": ""}', "has no audio_filepath"),
        ('{"audio_filepath": "a", "duration": true, "text": ""}', "has no positive duration"),
        ('{"audio_filepath": "a", "duration": 0, "text": ""}', "has no positive duration"),
        ('{"audio_filepath": "a", "duration": 1}', "has no text"),
        ('{"audio_filepath": "a", "duration": 1, "text": "", "offset": -30}', "has an offset"),
    ],
)
def test_names_the_line_that_is_wrong(tmp_path, line, message):
    path = tmp_path / "m.jsonl"
    path.write_text('{"audio_filepath": "a", "duration": 1, "text": ""}\n' + line + "\n")
    with pytest.raises(AsrError, match=message):
        read_manifest(path)


def test_files_that_are_no_manifest(tmp_path, librivox):
    (tmp_path / "empty.jsonl").write_text("\n")
    for path, message in [
        (tmp_path / "none.jsonl", "does not exist"),
        (tmp_path, "is a folder"),
        (tmp_path / "empty.jsonl", "holds no utterance"),
        (librivox[0].audio_filepath, "is not UTF-8 text"),
    ]:
        with pytest.raises(AsrError, match=message):
            read_manifest(path)
