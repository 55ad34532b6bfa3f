"""A model's folder: weights, config, tokenizers, checksums and a card.

The folder suffices to transcribe. It holds no pickled objects: weights are safetensors in float16,
the rest is text. The checksums cover weights, config and tokenizers, which only training writes. A
language model beside them has a checksum of its own (:mod:`asr.ngram.binary`); lexicon, decoder
config and card may be edited.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from asr.config.loading import read_yaml, validate
from asr.config.schema import HeadName, ModelConfig
from asr.errors import AsrError
from asr.runtime.files import digest, why_unreadable, write_text
from asr.tokenizers.tokenizer import Tokenizer, load_tokenizer

WEIGHTS = "model.safetensors"
CONFIG = "config.yaml"
TOKENIZER = "tokenizer.json"
INTERMEDIATE_TOKENIZER = "intermediate_tokenizer.json"  # if it differs
CARD = "README.md"
CHECKSUMS = "checksums.txt"  # SHA-256, as `sha256sum -c` reads them

_CHECKED = (CONFIG, TOKENIZER, INTERMEDIATE_TOKENIZER, WEIGHTS)
_CHECKSUM = re.compile(r"([0-9a-f]{64}) [ *](.+)")

BUNDLED = Path(__file__).parents[1] / "models"
DEFAULT_MODEL = "english"


@dataclass(frozen=True)
class ModelFolder:
    """Config and tokenizers of a model; the weights are read on demand."""

    path: Path
    config: ModelConfig
    tokenizer: Tokenizer
    intermediate_tokenizer: Tokenizer  # the same object if both heads emit the same units

    def tokenizer_of(self, head: HeadName) -> Tokenizer:
        """The tokenizer of a head.

        Raises:
            AsrError: the model has no such head.
        """
        if head == "intermediate" and not self.config.intermediate_layer:
            raise AsrError("the model has no intermediate head; choose the main one")
        return self.tokenizer if head == "main" else self.intermediate_tokenizer

    def weights(self) -> dict[str, NDArray[np.float16]]:
        """The weights, by the names in :mod:`asr.acoustic.architecture`.

        Raises:
            AsrError: the weights are missing, damaged or of another model.
        """
        return read_weights(self.path)


def open_model(name: str | Path | None = None) -> ModelFolder:
    """Reads a model's config and tokenizers, and verifies their checksums.

    Args:
        name: a model's folder, or the name of a bundled one; by default the bundled default.

    Raises:
        AsrError: there is no such model, or one of its files is missing or damaged.
    """
    folder = find_model(name)
    _verify(folder, _CHECKED[:-1])
    config = validate(ModelConfig, read_yaml(folder / CONFIG), f"the config of the model {folder}")
    tokenizer = load_tokenizer(folder / TOKENIZER)
    other = folder / INTERMEDIATE_TOKENIZER
    intermediate = load_tokenizer(other) if other.exists() else tokenizer
    return ModelFolder(folder, config, tokenizer, intermediate)


def read_weights(folder: Path) -> dict[str, NDArray[np.float16]]:
    """Reads the weights alone; see :meth:`ModelFolder.weights`."""
    path = folder / WEIGHTS
    _verify(folder, [WEIGHTS])
    try:
        weights = load_file(path)
        if any(array.dtype.kind != "f" for array in weights.values()):
            raise TypeError("not all of them are floating-point numbers")
        return weights
    except TypeError as error:  # numpy knows no bfloat16 either
        raise AsrError(
            f"the weights {path} are numbers of another kind than float16 or float32; store them "
            "as such"
        ) from error
    except FileNotFoundError as error:
        raise AsrError(f"the model {folder} has no weights: {WEIGHTS} is missing") from error
    except (SafetensorError, OSError) as error:
        raise AsrError(f"the weights {path} are damaged; copy or train the model again") from error


def find_model(name: str | Path | None = None) -> Path:
    """The folder of a model given by path or by the name of a bundled one."""
    name = DEFAULT_MODEL if name is None else name
    for folder in (Path(name), BUNDLED / name):
        if (folder / CONFIG).is_file():
            return folder
    if Path(name).exists():
        raise AsrError(f"{name} is not a model's folder: it holds no {CONFIG}")
    bundled = ", ".join(sorted(path.parent.name for path in BUNDLED.glob(f"*/{CONFIG}")))
    raise AsrError(f"there is no model {name}: neither a folder nor a bundled one ({bundled})")


def write_checksums(folder: str | Path) -> None:
    """Writes the checksums that loading verifies.

    For folders that were put together by hand; :func:`asr.acoustic.checkpoint.save_model` calls it.

    Raises:
        AsrError: the folder holds no model, or can't be written to.
    """
    folder = find_model(folder)
    there = [name for name in _CHECKED if (folder / name).is_file()]
    lines = [f"{digest(folder / name)}  {name}\n" for name in there]
    write_text(folder / CHECKSUMS, "".join(lines))


def _verify(folder: Path, names: Iterable[str]) -> None:
    """Compares files with their checksums; a folder without checksums passes.

    Raises:
        AsrError: a file differs from its checksum, or the checksums are damaged.
    """
    path = folder / CHECKSUMS
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return
    except OSError as error:
        raise AsrError(f"the checksums {path} {why_unreadable(error)}") from error
    except UnicodeDecodeError:
        lines = []
    found = [match for line in lines if (match := _CHECKSUM.fullmatch(line))]
    expected = {match[2]: match[1] for match in found}
    for name in names:
        there = (folder / name).is_file()
        if name not in expected and not there and len(found) == len(lines):
            continue
        if name not in expected or len(found) < len(lines):
            raise AsrError(f"the checksums {path} are damaged; copy or train the model again")
        if not there:
            raise AsrError(f"the model {folder} is not whole: {name} is missing; copy it again")
        if digest(folder / name) != expected[name]:
            raise AsrError(
                f"{folder / name} is damaged, or of another model: it has not the checksum in "
                f"{CHECKSUMS}; copy or train the model again"
            )
