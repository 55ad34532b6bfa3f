"""Names and terms that the language model lacks or rarely saw, favoured as hot words.

python recipes/examples/hot_words.py talk.wav "MISS DASHWOOD" PEMBERLEY
"""

import difflib
import sys

import asr


def main(recording: str, *hotwords: str) -> None:
    """Transcribes without and with the hot words and prints both texts and all differences."""
    without = asr.load().transcribe(recording)
    favoured = asr.load(hotwords=hotwords).transcribe(recording)
    print("without:", without.text)
    print("with:   ", favoured.text)

    before, after = without.text.split(), favoured.text.split()
    for kind, i, j, k, m in difflib.SequenceMatcher(None, before, after).get_opcodes():
        if kind != "equal":
            confidence = min((word.confidence for word in favoured.words[k:m]), default=0.0)
            old, new = " ".join(before[i:j]) or "-", " ".join(after[k:m]) or "-"
            print(f"{old} -> {new} (confidence {confidence:.2f})")


if __name__ == "__main__":
    main(*sys.argv[1:])
