"""Tokenizers: text to the units that a model emits, and back.

Index 0 is the CTC blank in every tokenizer; units start at 1. A tokenizer is a small JSON file in
the model's folder, so a model is never used with units other than its own.
"""

from __future__ import annotations

import base64
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from asr.errors import AsrError
from asr.lexicon.phones import PHONES
from asr.runtime.files import why_unreadable, write_text
from asr.text import ALPHABET, foreign_characters

BLANK = 0


class UnrepresentableText(AsrError):
    """A text holds characters that the units can't spell."""

    def __init__(self, characters: str) -> None:
        listed = " ".join(repr(character) for character in characters)
        super().__init__(f"the text holds characters that the model's units lack: {listed}")
        self.characters = characters


class Tokenizer(ABC):
    """A closed set of units; each kind of unit is a subclass with its own ``kind``."""

    kind: str

    @property
    @abstractmethod
    def units(self) -> Sequence[str]:
        """All units in the order of their indices; ``units[0]`` is the blank."""

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """Normalised text to indices, without blanks.

        Raises:
            UnrepresentableText: a character has no unit.
        """

    @abstractmethod
    def decode(self, indices: Iterable[int]) -> str:
        """Indices, without blanks or CTC's repetitions, to text with single spaces."""

    def transcript(self, text: str) -> str:
        """Normalised text as :meth:`decode` gives it where every unit was recognised."""
        return text

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """The record from which :func:`from_json` makes this tokenizer."""

    def __len__(self) -> int:
        return len(self.units)

    def save(self, path: str | Path) -> None:
        write_text(path, json.dumps(self.to_json(), indent=1) + "\n")


class CharacterTokenizer(Tokenizer):
    """One unit for each character of the normal form, and one for the space."""

    kind = "characters"

    def __init__(self, characters: str = " " + ALPHABET) -> None:
        self._characters = characters
        self._index = {character: index for index, character in enumerate(characters, BLANK + 1)}

    @property
    def units(self) -> Sequence[str]:
        return ["<blank>", *self._characters]

    def encode(self, text: str) -> list[int]:
        try:
            return [self._index[character] for character in text]
        except KeyError:
            lacking = dict.fromkeys(c for c in text if c not in self._index)
            raise UnrepresentableText("".join(lacking)) from None

    def decode(self, indices: Iterable[int]) -> str:
        text = "".join(self._characters[index - 1] for index in indices)
        return " ".join(text.split())

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "characters": self._characters}


class BpeTokenizer(Tokenizer):
    """Byte-pair units of a sentencepiece model (Sennrich et al. 2016)."""

    kind = "bpe"

    def __init__(self, model: bytes) -> None:
        from sentencepiece import SentencePieceProcessor  # here: most models spell

        self._model = model
        self._pieces = SentencePieceProcessor(model_proto=model)

    @classmethod
    def train(cls, texts: Iterable[str], size: int, setting: str = "units.size") -> BpeTokenizer:
        """Learns ``size`` units, the blank not counted, from normalised texts.

        Args:
            texts: in normal form.
            size: the number of units.
            setting: the name of the setting for the size, for errors.

        Raises:
            AsrError: the texts don't give that many units, or have more characters.
        """
        import io

        from sentencepiece import SentencePieceTrainer

        model = io.BytesIO()
        try:
            SentencePieceTrainer.train(
                sentence_iterator=iter(texts),
                model_writer=model,
                model_type="bpe",
                vocab_size=size + 1,  # sentencepiece counts its unknown, which is never emitted
                character_coverage=1.0,
                normalization_rule_name="identity",
                bos_id=-1,
                eos_id=-1,
                minloglevel=2,
            )
        except RuntimeError as error:
            if "required_chars" in str(error):
                raise AsrError(
                    f"the training text has more characters than {size} BPE units; raise {setting}"
                ) from error
            raise AsrError(
                f"the training text is too small for {size} BPE units; lower {setting}"
            ) from error
        return cls(model.getvalue())

    @cached_property
    def units(self) -> Sequence[str]:
        # sentencepiece's unknown has index 0, where CTC has its blank; the rest coincides.
        pieces = range(1, self._pieces.get_piece_size())
        return ["<blank>", *(self._pieces.id_to_piece(piece) for piece in pieces)]

    def encode(self, text: str) -> list[int]:
        indices: list[int] = self._pieces.encode(text)
        if self._pieces.unk_id() in indices:
            known = set("".join(self.units[1:])) | {" "}
            raise UnrepresentableText("".join(dict.fromkeys(c for c in text if c not in known)))
        return indices

    def encode_lines(self, lines: Iterable[str]) -> list[list[int]]:
        """Many texts at once, in threads; a character without a unit becomes the blank."""
        encoded: list[list[int]] = self._pieces.encode(list(lines), num_threads=-1)
        return encoded

    def decode(self, indices: Iterable[int]) -> str:
        text: str = self._pieces.decode(list(indices))
        return " ".join(text.split())

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "sentencepiece": base64.b64encode(self._model).decode()}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> BpeTokenizer:
        """The tokenizer of a record by :meth:`to_json`."""
        return cls(base64.b64decode(record["sentencepiece"]))


class PhoneTokenizer(Tokenizer):
    """Phones of English, and a unit for the boundary between words.

    Words are encoded by their first pronunciation (:mod:`asr.lexicon`). Decoding gives no words but
    phones, ``HH AH L OW | W ER L D``: a beam search finds words through a lexicon.

    Args:
        phones: ARPAbet without stress.
    """

    kind = "phones"
    _BOUNDARY = BLANK + 1

    def __init__(self, phones: Sequence[str] = PHONES) -> None:
        self._phones = tuple(phones)
        self._index = {phone: index for index, phone in enumerate(phones, self._BOUNDARY + 1)}
        self._known: dict[str, list[int]] = {}

    @property
    def units(self) -> Sequence[str]:
        return ["<blank>", " ", *self._phones]

    def encode(self, text: str) -> list[int]:
        indices: list[int] = []
        for word in text.split():
            if indices:
                indices.append(self._BOUNDARY)
            indices += self._pronounce(word)
        return indices

    def _pronounce(self, word: str) -> list[int]:
        if word not in self._known:
            from asr.lexicon.pronouncer import english  # here: a model in use encodes nothing

            pronunciations = english().pronounce(word).pronunciations
            if not pronunciations:
                raise UnrepresentableText(foreign_characters(word) or word)
            self._known[word] = [self._index[phone] for phone in pronunciations[0].units]
        return self._known[word]

    def decode(self, indices: Iterable[int]) -> str:
        words: list[list[str]] = [[]]
        for index in indices:
            if index == self._BOUNDARY:
                words.append([])
            else:
                words[-1].append(self._phones[index - self._BOUNDARY - 1])
        return " | ".join(" ".join(word) for word in words if word)

    def transcript(self, text: str) -> str:
        return " | ".join(map(self._transcript_of_word, text.split()))

    def _transcript_of_word(self, word: str) -> str:
        try:
            return self.decode(self._pronounce(word))
        except UnrepresentableText:
            return word  # it can't be recognised, and counts as an error

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "phones": list(self._phones)}


def load_tokenizer(path: str | Path) -> Tokenizer:
    """Reads a file by :meth:`Tokenizer.save`.

    Raises:
        AsrError: the file is missing or is no tokenizer of a known kind.
    """
    try:
        return from_json(json.loads(Path(path).read_text(encoding="utf-8")))
    except AsrError as error:
        raise AsrError(f"the tokenizer {path} can't be used: {error}") from error
    except OSError as error:
        raise AsrError(f"the tokenizer {path} {why_unreadable(error)}") from error
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        raise AsrError(f"the tokenizer {path} is damaged") from error


def from_json(record: dict[str, Any]) -> Tokenizer:
    """The tokenizer of a record by :meth:`Tokenizer.to_json`.

    Raises:
        AsrError: it is of an unknown kind.
    """
    if record["kind"] == CharacterTokenizer.kind:
        return CharacterTokenizer(record["characters"])
    if record["kind"] == BpeTokenizer.kind:
        return BpeTokenizer.from_json(record)
    if record["kind"] == PhoneTokenizer.kind:
        return PhoneTokenizer(record["phones"])
    raise AsrError(f"its units are of an unknown kind: {record['kind']}")
