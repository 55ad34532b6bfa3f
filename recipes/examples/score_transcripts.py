"""Anybody's transcripts against a reference: the word error rate and the worst utterances.

python recipes/examples/score_transcripts.py dev-clean.jsonl theirs.trn
"""

import sys

from asr.scoring.error_rates import picture
from asr.scoring.pairing import pair
from asr.scoring.results import score_pairs
from asr.scoring.transcripts import read_transcripts

WORST = 3  # utterances that are printed word by word


def main(reference: str, hypothesis: str) -> None:
    """Prints the corpus WER with its 95 % interval, and the utterances with most errors."""
    # Manifests, trn, text with ids and LibriSpeech's layout are read alike, and matched by id.
    paired = pair(read_transcripts(reference), read_transcripts(hypothesis))
    result = score_pairs(hypothesis, paired)
    errors = result.score.words
    print(f"WER {100 * errors.rate:.2f} % of {errors.reference} words", end="")
    if (interval := result.interval) is not None:
        print(f" (95 %: {100 * interval.low:.1f} to {100 * interval.high:.1f})", end="")
    print(f", {errors.substitutions} S, {errors.deletions} D, {errors.insertions} I")

    utterances = zip(result.references, result.score.alignments, strict=True)
    for utterance, alignment in sorted(utterances, key=lambda row: -row[1].errors.total)[:WORST]:
        if alignment.errors.total:
            print(f"\n{utterance.utterance_id}\n{picture(alignment)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
