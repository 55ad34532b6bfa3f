"""Waiting for another process or thread, never without end."""

import time


def wait_until(condition, seconds=600):
    """Returns once ``condition()`` is true; fails after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"nothing happened in {seconds} s"
        time.sleep(0.002)
