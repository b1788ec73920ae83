"""Child processes of the demo: started with their output in a log file, stopped by pid, gone when we are."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from stillwatch_schemas.errors import StillwatchError
from stillwatch_streams import tied

STOP_SECONDS = 15.0
SHOWN_LINES, SHOWN_CHARS = 3, 600


class Children:
    """The programs that the demo runs; a context manager that leaves none behind."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> None:
        """Start a Python command line (`-m module ...`) in its own process group, so that Ctrl-C reaches us alone.

        `env` is its whole environment.
        """
        with self._log(name).open("ab") as log:
            self._running[name] = subprocess.Popen(  # noqa: S603  # our own programs, no shell
                [sys.executable, "-I", "-S", str(tied.__file__), str(os.getpid()), sys.executable, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(env),
                process_group=0,
            )

    def check(self) -> None:
        """Raise StillwatchError naming a program that has ended by itself, with the end of its log."""
        for name, process in self._running.items():
            if process.poll() is not None:
                text = self._log(name).read_text(errors="replace").strip()
                tail = "\n".join(line[:SHOWN_CHARS] for line in text.splitlines()[-SHOWN_LINES:])
                raise StillwatchError(
                    f"the {name} ended with exit code {process.returncode}; its log ends with\n{tail}"
                )

    def stop(self) -> None:
        """Ask all to end, the last started first; insist after a while."""
        for process in reversed(self._running.values()):
            process.terminate()
        for process in reversed(self._running.values()):
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()
