"""LSTM language models: predictions, files, training that is stopped and resumed."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from waiting import wait_until

from asr.cli.main import main
from asr.config.schema import RecurrentConfig
from asr.errors import AsrError
from asr.neural_lm.file import is_recurrent
from asr.neural_lm.network import load_recurrent
from asr.neural_lm.scorer import load_scorer
from asr.tokenizers.tokenizer import BpeTokenizer
from asr.training.lstm_lm import read_sentences, train_recurrent

CONFIG = RecurrentConfig(
    units=60,
    hidden=64,
    layers=1,
    dropout=0.1,
    epochs=40,
    batch_units=256,
    peak_rate=5e-3,
    checkpoint_every=50,
    precision="float32",
)
SETTINGS = [
    f"{key}={value}" for key, value in CONFIG.model_dump(mode="json", exclude_defaults=True).items()
]


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """Sentences with one rule: who comes to the door decides how the sentence ends."""
    guests = {"THE KING": "WITH A CROWN", "THE COOK": "WITH A PAN", "THE CAT": "WITHOUT A SOUND"}
    ways = ("CAME TO THE DOOR", "WALKED DOWN THE LONG STAIRS", "SAT BY THE FIRE AND SANG")
    lines = [f"{guest} {way} {end}" for guest, end in guests.items() for way in ways] * 20
    path = tmp_path_factory.mktemp("text") / "guests.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def trained(text):
    output = text.parent / "guests.lstm"
    return train_recurrent([text], output, CONFIG), output


def test_the_beginning_of_a_sentence_decides_its_end(trained):
    model, _ = trained
    right, wrong = model.log_probs(
        [
            "THE COOK WALKED DOWN THE LONG STAIRS WITH A PAN",
            "THE COOK WALKED DOWN THE LONG STAIRS WITH A CROWN",
        ]
    )
    assert right - wrong > math.log(20)  # a trigram model could not tell
    assert right > math.log(1 / 9) - 2.0


def test_the_probabilities_of_what_may_come_add_up(trained):
    model, _ = trained
    with torch.inference_mode():
        scores = model(torch.tensor([[0, 5, 9]]))
    assert scores.shape == (1, 3, len(model.tokenizer))
    # Of a text it is the product of its units' probabilities, the end's included.
    units = [0, *model.tokenizer.encode("THE CAT SANG"), 0]
    with torch.inference_mode():
        steps = torch.log_softmax(model(torch.tensor([units[:-1]]))[0], dim=-1)
    expected = sum(float(steps[i, unit]) for i, unit in enumerate(units[1:]))
    assert model.log_probs(["THE CAT SANG"])[0] == pytest.approx(expected, abs=1e-4)


def test_a_text_scores_the_same_in_any_batch(trained):
    model, _ = trained
    texts = ["THE CAT", "", "THE KING CAME TO THE DOOR WITH A CROWN", "A PAN", "NO 5 ZX"]
    together = model.log_probs(texts)
    alone = np.array([model.log_probs([text])[0] for text in texts])
    assert together == pytest.approx(alone, abs=1e-4)
    assert together[-1] == -1000.0  # what can't be spelled


def test_a_file_holds_the_model(trained, tmp_path):
    model, output = trained
    assert is_recurrent(output)
    again = load_recurrent(output)
    texts = ["THE CAT SAT BY THE FIRE AND SANG WITHOUT A SOUND", "THE COOK CAME"]
    assert again.log_probs(texts) == pytest.approx(model.log_probs(texts), rel=0.02, abs=0.2)
    bits = 8 * output.stat().st_size / sum(p.numel() for p in model.parameters())
    assert bits < 16  # with the units in it

    damaged = bytearray(output.read_bytes())
    damaged[-100] ^= 4
    path = tmp_path / "damaged.lstm"
    path.write_bytes(damaged)
    with pytest.raises(AsrError, match=r"damaged.lstm is damaged; copy or train it again"):
        load_recurrent(path)
    for key in (b"hidden", b"sentencepiece"):  # what stands behind it in the metadata
        damaged = bytearray(output.read_bytes())
        place = damaged.index(key) + len(key) + 10
        damaged[place] = ord("2" if damaged[place] != ord("2") else "3")
        path.write_bytes(damaged)
        with pytest.raises(AsrError, match=r"damaged.lstm is damaged; copy or train it again"):
            load_recurrent(path)
    path.write_bytes(output.read_bytes()[:-1])
    with pytest.raises(AsrError, match=r"damaged.lstm is no recurrent language model, or is dam"):
        load_recurrent(path)
    with pytest.raises(AsrError, match="does not exist"):
        load_recurrent(tmp_path / "nothing.lstm")


@pytest.mark.parametrize("layers", [1, 2])
def test_the_scorer_agrees_with_the_model(layers, text, tmp_path):
    config = CONFIG.model_copy(update={"layers": layers, "epochs": 1})
    train_recurrent([text], tmp_path / "a.lstm", config)
    model, scorer = load_recurrent(tmp_path / "a.lstm"), load_scorer(tmp_path / "a.lstm")
    texts = [
        "THE COOK CAME TO THE DOOR",
        "THE COOK CAME TO THE DOOR WITH A PAN",
        "THE COOK CAME TO A DOOR",
        "",
        "A COOK",
        "THE COOK CAME TO THE DOOR",
        "NO 5",
    ]
    found = scorer.log_probs(texts)
    assert found == pytest.approx(model.log_probs(texts), abs=0.02)  # weights in float16
    assert found[0] == found[5]
    assert found[-1] == -1000.0
    # In other company nothing changes, to the bit.
    assert [scorer.log_probs([one])[0] for one in texts] == found.tolist()
    assert len(scorer.log_probs([])) == 0


def to_older_format(state):
    """Rewrites a state as versions with a training loop for each model did."""
    record = torch.load(state, weights_only=True)
    kept = {key: record[key] for key in ("config", "units", "precision", "model", "random")}
    older = {"step": record["progress"]["step"], "optimizer": record["optimizers"][0]}
    torch.save(kept | older, state)


@pytest.mark.parametrize("older", [False, True])
def test_killed_and_resumed_it_ends_with_the_same_weights(older, text, trained, tmp_path):
    undisturbed, _ = trained
    output = tmp_path / "again.lstm"
    state = Path(f"{output}.state")
    command = [sys.executable, "-m", "asr", "lm", "train-recurrent", text, "-o", output]
    command += ["--resume", "--set", *SETTINGS]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=tmp_path)
    wait_until(lambda: state.exists() or process.poll() is not None)
    process.kill()
    process.wait()
    if not output.exists():  # else it was faster
        if older:
            to_older_format(state)
        subprocess.run(command, check=True, cwd=tmp_path, capture_output=True)
    assert not state.exists()
    found = load_recurrent(output)
    undisturbed.save(tmp_path / "undisturbed.lstm")
    assert output.read_bytes() == (tmp_path / "undisturbed.lstm").read_bytes()
    assert found.config == CONFIG


def test_a_state_of_other_settings_is_refused(text, tmp_path):
    output = tmp_path / "a.lstm"
    torch.save({"config": {}, "step": 3}, f"{output}.state")
    with pytest.raises(AsrError, match="was stopped; go on with --resume or delete it"):
        train_recurrent([text], output, CONFIG)
    with pytest.raises(AsrError, match="is of a training with other settings"):
        train_recurrent([text], output, CONFIG, resume=True)
    state = {"config": CONFIG.model_dump(mode="json"), "units": 7}
    torch.save(state, f"{output}.state")
    with pytest.raises(AsrError, match="is of a training on other texts"):
        train_recurrent([text], output, CONFIG, resume=True)
    Path(f"{output}.state").write_bytes(b"rubbish")
    with pytest.raises(AsrError, match="is damaged; start the run anew"):
        train_recurrent([text], output, CONFIG, resume=True)


def test_a_training_that_diverges_leaves_no_model(text, tmp_path):
    config = CONFIG.model_copy(update={"peak_rate": 1e30})
    with pytest.raises(AsrError, match=r"training has diverged in step \d+; lower peak_rate"):
        train_recurrent([text], tmp_path / "a.lstm", config)
    assert not (tmp_path / "a.lstm").exists()


def test_long_sentences_are_cut(tmp_path):
    path = tmp_path / "long.txt"
    path.write_text("A B\n" + "C D " * 300 + "\n\nE\n")
    tokenizer = BpeTokenizer.train(["A B C D E"] * 50, 9)
    sentences = read_sentences([path], tokenizer)
    assert sentences.lengths().max() <= 254
    assert sentences.lengths().sum() == sum(
        len(tokenizer.encode(line)) for line in ("A B", "C D " * 300, "E")
    )
    batch = sentences.batch(np.array([1, len(sentences) - 1]))
    assert batch[0, 0] == 0
    assert (batch[1] == -1).any()


def test_perplexity_of_either_kind(trained, text, capsys):
    _, output = trained
    assert main(["lm", "perplexity", str(output), str(text)]) == 0
    *_, unknown, _, perplexity = capsys.readouterr().out.split()
    assert unknown == "0"
    assert float(perplexity) < 2.0  # nine sentences of ten words


def test_words_that_cannot_be_spelled_have_no_perplexity(trained, text, tmp_path, capsys):
    _, output = trained
    texts = [tmp_path / "some.txt", tmp_path / "more.txt", tmp_path / "none.txt"]
    sentence = "THE COOK CAME TO THE DOOR WITH A PAN\n"
    for path, content in zip(texts, (sentence, f"{sentence}THE ZEBRA XX\n", "XX\n"), strict=True):
        path.write_text(content)
    assert main(["lm", "perplexity", str(output), *map(str, texts[:2])]) == 0
    some, more = (line.split()[1:] for line in capsys.readouterr().out.splitlines()[1:])
    assert some[:3] == ["1", "9", "0"]
    assert more == ["1", "12", "3", "inf", some[-1]]
    assert main(["lm", "perplexity", str(output), str(texts[2])]) == 1
    assert "can spell no sentence of" in capsys.readouterr().err


def test_a_very_long_sentence_is_scored_in_parts(trained, monkeypatch):
    model, _ = trained
    sentence = "THE KING WALKED DOWN THE LONG STAIRS WITH A CROWN"
    whole = model.log_probs([sentence, "THE CAT"])
    monkeypatch.setattr("asr.neural_lm.network._SCORED", 7)
    lengths = []
    hook = model.lstm.register_forward_hook(lambda _, inputs, __: lengths.append(inputs[0].size(1)))
    assert model.log_probs([sentence, "THE CAT"]) == pytest.approx(whole, abs=1e-4)
    hook.remove()
    assert max(lengths) == 7


def test_settings_are_checked(text, tmp_path, capsys):
    command = ["lm", "train-recurrent", str(text), "-o", str(tmp_path / "a.lstm"), "--set"]
    assert main([*command, "hiden=3"]) == 1
    assert "unknown key hiden; did you mean hidden?" in capsys.readouterr().err
    assert main([*command, "units=60000"]) == 1
    assert "too small for 60000 BPE units" in capsys.readouterr().err
    assert main([*command, "units=5"]) == 1
    assert "more characters than 5 BPE units; raise lm.recurrent.units" in capsys.readouterr().err
    assert main(["lm", "train-recurrent", "-", "-o", str(tmp_path / "a.lstm")]) == 1
    assert "is read twice" in capsys.readouterr().err
