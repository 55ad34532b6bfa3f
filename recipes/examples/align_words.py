"""When each word of a known text was spoken, and which words probably were not.

python recipes/examples/align_words.py talk.wav talk.txt
"""

import sys
from pathlib import Path

from asr.alignment import align

DOUBTFUL = 0.1  # words below this confidence are likely misread, skipped or misspelled


def main(recording: Path, transcript: Path) -> int:
    """Prints start, end and confidence of each word; the exit status is the number of doubts."""
    result = align(recording, transcript.read_text(encoding="utf-8"))
    for word in result.words:
        mark = " ?" if word.confidence < DOUBTFUL else ""
        print(f"{word.start:8.2f} {word.end:8.2f} {word.confidence:5.2f} {word.text}{mark}")

    doubts = [word for word in result.words if word.confidence < DOUBTFUL]
    print(f"{len(result.words)} words in {result.duration:.2f} s, {len(doubts)} doubtful")
    return min(len(doubts), 100)


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
