"""Files for NIST's scoring program sclite: trn, and stm and ctm where times are known.

``sclite -r NAME.ref.trn -h NAME.hyp.trn -i spu_id`` compares the trn files, ``sclite -r NAME.stm
stm -h NAME.ctm ctm`` the files with times, both ignoring case without ``-s``. To sclite a
substitution costs 4, a deletion and an insertion 3: where several alignments have the fewest
errors, it may choose another one than :mod:`asr.scoring.realign`, and it may find one error more.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from asr.errors import AsrError
from asr.runtime.files import write_text
from asr.scoring.results import Evaluation

_MARKS = re.compile(r"[{}@]|^;;|\s/\s")  # what sclite does not read as a word
_NOBODY = "unknown"  # the speaker field of an stm file where the speaker is not known


def write_sclite(folder: str | Path, evaluation: Evaluation) -> list[Path]:
    """Writes the two trn files, and stm and ctm where the times of all words are known.

    The files are named after the evaluation, with ``_`` for slashes.

    Returns:
        The files written.

    Raises:
        AsrError: sclite would read an utterance id or a text otherwise than it is.
    """
    folder = Path(folder)
    references = evaluation.references
    for utterance, hypothesis in zip(references, evaluation.hypotheses, strict=True):
        _check(utterance.utterance_id, utterance.text, hypothesis)
    names = [utterance.utterance_id for utterance in references]
    texts = {
        "ref.trn": _trn([utterance.text for utterance in references], names),
        "hyp.trn": _trn(evaluation.hypotheses, names),
    }
    if _has_times(evaluation):
        texts |= {"stm": _stm(evaluation), "ctm": _ctm(evaluation)}
    name = re.sub(r"[/\\]", "_", evaluation.name)
    paths = [folder / f"{name}.{extension}" for extension in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        write_text(path, text)
    return paths


def check_id(name: str) -> None:
    """Checks that sclite can read an utterance id.

    Raises:
        AsrError: it can't.
    """
    if re.search(r"[\s()]", name):
        raise AsrError(f"sclite takes no utterance id with spaces or parentheses, such as {name!r}")


def _check(name: str, *texts: str) -> None:
    check_id(name)
    for text in texts:
        if found := _MARKS.search(text):
            raise AsrError(
                f"sclite would not read {found[0].strip()} in the text of {name} as it stands; "
                "take it out, or score with --normalise"
            )


def _has_times(evaluation: Evaluation) -> bool:
    """Whether all durations and the times of all hypothesis words are known."""
    if len(evaluation.words) != len(evaluation.hypotheses) or not all(evaluation.durations):
        return False
    return all(
        len(words) == len(alignment.hypothesis)
        for words, alignment in zip(evaluation.words, evaluation.score.alignments, strict=True)
    )


def _trn(texts: Sequence[str], names: Sequence[str]) -> str:
    rows = zip(texts, names, strict=True)
    return "".join(f"{' '.join(text.split())} ({name})\n".lstrip() for text, name in rows)


def _stm(evaluation: Evaluation) -> str:
    lines = [
        f"{u.utterance_id} 1 {_one_word(u.speaker or '') or _NOBODY} 0.000 {u.duration:.3f} "
        f"{' '.join(u.text.split())}".rstrip()
        for u in evaluation.references
    ]
    return "".join(line + "\n" for line in sorted(lines))


def _one_word(speaker: str) -> str:
    """A name with its white space replaced, which would end the field."""
    return "_".join(speaker.split())


def _ctm(evaluation: Evaluation) -> str:
    rows = zip(evaluation.references, evaluation.words, strict=True)
    return "".join(
        f"{u.utterance_id} 1 {w.start:.3f} {w.end - w.start:.3f} {w.text} {w.confidence:.4f}\n"
        for u, words in sorted(rows, key=lambda row: row[0].utterance_id)
        for w in words
    )
