import gzip
import lzma

import pytest

from asr.cli.main import main
from asr.errors import AsrError
from asr.lexicon import Lexicon
from asr.lexicon.build import build_lexicon, read_words
from asr.lexicon.pronouncer import Source, english
from asr.ngram import load, save
from asr.ngram.estimation import train


@pytest.fixture(scope="module")
def text(librivox):
    return "".join(utterance.text + "\n" for utterance in librivox)


@pytest.fixture(scope="module")
def words(text):
    return sorted(set(text.split()))


@pytest.mark.parametrize("name", ["text.txt", "text.txt.xz", "text.txt.gz", "words.txt"])
def test_takes_words_of_a_text_or_a_list(tmp_path, text, words, name):
    path = tmp_path / name
    data = ("\n".join(words) if name == "words.txt" else text.lower()).encode()
    compress = {".xz": lzma.compress, ".gz": gzip.compress}.get(path.suffix, bytes)
    path.write_bytes(compress(data))
    assert read_words(path) == words


@pytest.mark.parametrize("name", ["model.arpa", "model.arpa.gz", "model.lm"])
def test_takes_words_of_a_language_model(tmp_path, text, words, name):
    (tmp_path / "text").write_text(text)
    save(train([tmp_path / "text"], order=2), tmp_path / name)
    assert set(words) < set(load(tmp_path / name).words)
    assert read_words(tmp_path / name) == words


def test_words_of_a_language_model_are_written_as_it_has_them(tmp_path):
    (tmp_path / "small.arpa").write_text(
        "\\data\\\nngram 1=5\n\n\\1-grams:\n-1\t<unk>\n-99\t<s>\n-1\t</s>\n"
        "-1\tDon't\n-1\t1984\n\n\\end\\\n"
    )
    lexicon, by_source = build_lexicon(read_words(tmp_path / "small.arpa"), english())
    assert {word: said[0].units for word, said in lexicon.items()} == {
        "Don't": ("D", "OW", "N", "T")
    }
    assert by_source[Source.NOTHING] == ["1984"]


def test_nothing_to_pronounce_is_an_error(tmp_path):
    with pytest.raises(AsrError, match=r"none\.txt does not exist"):
        read_words(tmp_path / "none.txt")
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(AsrError, match=r"empty\.txt holds no words"):
        read_words(tmp_path / "empty.txt")


def test_the_command_writes_a_lexicon_and_says_where_it_has_it_from(tmp_path, capsys):
    words = tmp_path / "words.txt"
    words.write_text("READ\nPENCROFT\nPENCROFT'S\nSQUIRE'S\n1984\nCAPTAIN\n")
    output = tmp_path / "lexicon.txt"
    assert main(["lexicon", "build", str(words), "-o", str(output), "--variants", "2"]) == 0
    printed = capsys.readouterr()
    assert "5 words" in printed.out
    assert "2 words from the dictionary, 1 by rule, 2 from their letters" in printed.out
    assert "1 words (1984)" in printed.err
    lexicon = Lexicon.read(output)
    assert list(lexicon) == ["CAPTAIN", "PENCROFT", "PENCROFT'S", "READ", "SQUIRE'S"]
    assert len(lexicon["PENCROFT"]) <= 2
    assert output.read_text().startswith(";;; ")

    words.write_text("1984\n")
    assert main(["lexicon", "build", str(words), "-o", str(output)]) == 1
    assert "no word of" in capsys.readouterr().err
