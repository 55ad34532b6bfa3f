"""Transcripts of the commands that score them: reading, forms of text, alternations."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from asr.cli.messages import complain
from asr.scoring.alternation import Matching, is_marked, map_words
from asr.scoring.glm import GlobalMap, read_glm
from asr.scoring.pairing import Paired, pair_transcripts, with_speakers
from asr.scoring.results import Evaluation
from asr.scoring.transcripts import Role, Transcripts, read
from asr.text import compose, normalise

_OWN_ROLE = {"stm": "reference", "ctm": "hypothesis"}  # formats that --format gives to one file


@dataclass(frozen=True)
class Reader:
    """Reads and pairs transcripts as the options of a command say."""

    options: argparse.Namespace
    glm: GlobalMap | None

    @classmethod
    def of(cls, options: argparse.Namespace) -> Reader:
        """The reader of a command.

        Raises:
            AsrError: the GLM file can't be read.
        """
        return cls(options, read_glm(options.glm) if options.glm else None)

    @property
    def matching(self) -> Matching:
        return Matching(self.options.optional_words, self.options.fragments)

    def read(self, path: Path, role: Role) -> Transcripts:
        """Reads a file, in the form in which texts are compared."""
        format = self.options.format
        if _OWN_ROLE.get(format, role) != role:
            format = None
        found = read(path, format, role)
        marked = found.may_be_marked

        def form(text: str) -> str:
            text = compose(text)
            if self.glm:
                text = self.glm.apply(text, found.format, role[:3])
            if self.options.normalise:
                text = map_words(text, normalise) if marked else normalise(text)
            return text.upper() if self.options.ignore_case else text

        found = replace(
            found,
            utterances=[replace(u, text=form(u.text)) for u in found.utterances],
            segments=[
                s if s.is_excluded else replace(s, text=form(s.text)) for s in found.segments
            ],
            words=[replace(word, text=form(word.text)) for word in found.words],
        )
        return found

    def pair(self, reference: Transcripts, path: Path) -> Paired:
        """Reads a hypothesis and pairs it; names what is missing or too much.

        Raises:
            AsrError: it can't be read, or has nothing in common with the reference.
        """
        paired = pair_transcripts(reference, self.read(path, "hypothesis"))
        if self.options.speakers:
            speakers = with_speakers(paired.references, self.options.speakers)
            paired = replace(paired, references=speakers)
        for name in paired.missing:
            complain(f"{path} lacks {name}: all its words count as deleted")
        for name in paired.extra:
            complain(f"not scored: {name} of {path} is not in the reference")
        return paired

    def matching_for(self, reference: Transcripts, pairs: Sequence[Paired]) -> Matching | None:
        """How sclite would match words, if the transcripts need its alignment; else None."""
        if reference.format == "stm" or self.matching != Matching():
            return self.matching
        if reference.may_be_marked:
            texts = [u.text for paired in pairs for u in paired.references]
            texts += [text for paired in pairs for text in paired.hypotheses]
            if any(is_marked(text, self.matching) for text in texts):
                return self.matching
        return None

    def describe(self, matching: Matching | None) -> dict[str, object]:
        """The form in which texts were compared, for JSON."""
        form: dict[str, object] = {
            "ignore_case": self.options.ignore_case,
            "normalise": self.options.normalise,
        }
        if self.options.glm:
            form["glm"] = str(self.options.glm)
        if matching:
            form |= {
                "alignment": "sclite",
                "optional_words": matching.optional,
                "fragments": matching.fragments,
            }
        return form


def warn_of_case(evaluation: Evaluation, path: Path) -> None:
    """Tells of transcripts that have no word right, but some but for the case."""
    words = evaluation.score.words
    if words.reference > words.substitutions + words.deletions:
        return
    references = {w.casefold() for u in evaluation.references for w in u.text.split()}
    hypotheses = {w.casefold() for text in evaluation.hypotheses for w in text.split()}
    if any(word.isalpha() for word in references & hypotheses):
        complain(
            f"no word of {path} is right as written, but words are in another case; "
            "--ignore-case compares without it"
        )
