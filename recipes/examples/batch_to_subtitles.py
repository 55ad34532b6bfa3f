"""Subtitles for all recordings of a folder; a file that is not audio is named and skipped.

python recipes/examples/batch_to_subtitles.py talks/ subtitles/
"""

import sys
from pathlib import Path

import asr
from asr.transcription.writers import to_srt


def main(recordings: Path, output: Path) -> int:
    """Writes OUTPUT/NAME.srt for each file of ``recordings`` and returns the exit status."""
    files = sorted(path for path in recordings.iterdir() if path.is_file())
    output.mkdir(parents=True, exist_ok=True)
    status = 0

    # Files are decoded in batches of similar length; results come in the order of the files.
    for file, result in zip(files, asr.load().transcribe_files(files), strict=True):
        if isinstance(result, asr.AsrError):
            print(result, file=sys.stderr)
            status = 1
            continue
        subtitles = output / f"{file.name}.srt"
        subtitles.write_text(to_srt(result), encoding="utf-8")
        print(f"{subtitles}: {len(result.words)} words in {result.duration:.1f} s")
    return status


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
