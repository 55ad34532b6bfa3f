"""A long recording, printed segment by segment while the rest of it is still being transcribed.

python recipes/examples/segments_as_they_come.py lecture.mp3
"""

import sys

import asr


def clock(seconds: float) -> str:
    """Formats a time as H:MM:SS.s."""
    minutes, seconds = divmod(round(seconds, 1), 60)
    return f"{int(minutes) // 60}:{int(minutes) % 60:02d}:{seconds:04.1f}"


def main(recording: str) -> None:
    """Prints start, end, confidence and text of each segment; confidences below 0.7 get a mark."""
    # The file is read as the segments are asked for: memory does not grow with its length, and
    # leaving the loop early costs nothing more.
    for segment in asr.load().segments(recording):
        confidence = segment.confidence or 0.0
        mark = "?" if confidence < 0.7 else " "
        times = f"{clock(segment.start)} - {clock(segment.end)}"
        print(f"{times} {confidence:.2f}{mark} {segment.text}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
