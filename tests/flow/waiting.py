"""Waiting for something to become true, never for time to pass."""

import time

PATIENCE = 20.0


class NeverHappened(AssertionError):
    pass


def until(what, look, patience=PATIENCE, most=0.05):
    """Ask look() until its answer is true, and return it; `what` says what was waited for. Between
    two looks pass at most `most` seconds."""
    end = time.monotonic() + patience
    pause = min(0.002, most)
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise NeverHappened(f"waited {patience:g} s for {what}, in vain")
        time.sleep(pause)
        pause = min(pause * 1.5, most)
