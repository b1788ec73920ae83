"""Processes that help a replay: Ctrl-C reaches the whole terminal group, yet only the main process may answer it."""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

from stillwatch_streams.parent_death import die_with_parent

COLLECTOR = (100_000, 20, 50)
"""Thresholds of the cycle collector: a replay makes no cycles, and looking for them costs a tenth of the time."""


@contextmanager
def deaf_from_birth() -> Iterator[None]:
    """Processes started in here never hear Ctrl-C, not even before `settle_in`: what is blocked stays so in a child."""
    resource_tracker.ensure_running()  # would lift the block, were it started in here
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def settle_in() -> None:
    """Start of such a process: it leaves Ctrl-C to its parent, does not outlive it, and rarely looks for cycles."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    gc.freeze()
    gc.set_threshold(*COLLECTOR)
