"""Keeps a worker running: starts it as a child process, and starts it again when it fails, ever more patiently."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from types import FrameType

from stillwatch_streams.exit_codes import FAILED, NO_BROKER
from stillwatch_streams.logs import get_logger

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0
HEALTHY_SECONDS = 60.0
"""A worker that ran this long starts with the first wait again."""
STOP_SECONDS = 30.0

log = get_logger(__name__)


class Supervisor:
    """Runs one command again and again until it is told to stop, or the command says that trying again is useless."""

    def __init__(self, command: Sequence[str], *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._command = list(command)
        self._sleep = sleep
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = False

    def run(self) -> int:
        """Supervise; the exit code of the last child, 0 when it stopped as asked."""
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, self._on_signal)
        wait = FIRST_WAIT_SECONDS
        while True:
            began = time.monotonic()
            self._child = subprocess.Popen(self._command)  # noqa: S603 - our own program
            code = self._child.wait()
            if self._stopping:
                return 0 if code in (0, -signal.SIGTERM, -signal.SIGINT) else code
            if code >= 0 and code not in (FAILED, NO_BROKER):
                return code
            if time.monotonic() - began > HEALTHY_SECONDS:
                wait = FIRST_WAIT_SECONDS
            log.warning("worker_ended", code=code, starts_again_in_seconds=wait)
            self._sleep(wait)
            if self._stopping:
                return 0
            wait = min(wait * 2, LONGEST_WAIT_SECONDS)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(number)


def child_command(arguments: Sequence[str]) -> list[str]:
    """The same program, asked to be the worker itself."""
    return [sys.executable, "-m", "stillwatch_agents", *arguments, "--unsupervised"]
