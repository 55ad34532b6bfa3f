import asr
from asr.acoustic.folder import find_model
from asr.decoding.decoder_config import read_decoder_config


def test_the_bundled_model_is_searched_by_its_own_settings():
    transcriber = asr.load()
    assert transcriber.decoder_name == "two passes"
    head = read_decoder_config(find_model() / "decoder.yaml").head
    assert transcriber.recogniser.tokenizer.kind == {"intermediate": "phones"}.get(head, "bpe")


def test_without_a_language_model_the_main_head_is_read_freely(librivox):
    transcriber = asr.load(lm="none")
    assert transcriber.decoder_name == "beam"
    assert transcriber.recogniser.tokenizer.kind == "bpe"
    assert transcriber.transcribe(librivox[0].audio_filepath).text
    greedy = asr.load(decoder="greedy")
    assert greedy.recogniser.tokenizer.kind == "bpe"
