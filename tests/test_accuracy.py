"""The bundled model's word error rate may not rise: one point more than today fails."""

from pathlib import Path

import pytest

import asr
from asr.scoring.error_rates import score
from asr.text import normalise

# Per cent of words, by decoder (None is the default one): what the bundled model has, and room for
# three of the readers' 429 words, for one of the clips' 71. A better model lowers them.
CLIPS = {"greedy": 21.1 + 1.5, None: 8.5 + 1.5}
READERS = {"greedy": 34.3 + 0.7, None: 14.2 + 0.7}


def word_error_rate(decoder, utterances):
    transcriber = asr.load(decoder=decoder, device="cpu")
    paths, references = zip(*utterances, strict=True)
    results = list(transcriber.transcribe_files(paths))
    return 100 * score(references, [result.text for result in results]).wer


def first_utterances(subset):
    """The first utterance of every second reader, in the order of their numbers."""
    for reader in sorted(subset.iterdir(), key=lambda folder: int(folder.name))[::2]:
        transcripts = min(reader.rglob("*.trans.txt"))
        name, _, text = transcripts.read_text().splitlines()[0].partition(" ")
        (audio,) = transcripts.parent.glob(f"{name}.*")  # FLAC, or as it was coded anew
        yield audio, normalise(text)


@pytest.mark.parametrize("decoder", ["greedy", None], ids=["greedy", "default"])
def test_the_clips(decoder, librivox):
    utterances = [(Path(clip.audio_filepath), clip.text) for clip in librivox]
    assert word_error_rate(decoder, utterances) <= CLIPS[decoder]


@pytest.mark.parametrize("decoder", ["greedy", None], ids=["greedy", "default"])
def test_twenty_readers(decoder, librispeech):
    utterances = list(first_utterances(librispeech / "dev-clean"))
    assert len(utterances) == 20
    assert word_error_rate(decoder, utterances) <= READERS[decoder]
