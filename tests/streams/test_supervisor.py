"""The supervisor starts a failed worker again, more and more patiently, and leaves alone what a restart can't cure."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from stillwatch_streams.supervisor import Supervisor


def script(folder: Path, *codes: int) -> list[str]:
    """A command that ends with one code after the other."""
    file = folder / "codes"
    file.write_text(" ".join(map(str, codes)))
    program = (
        "import pathlib, sys\n"
        f"file = pathlib.Path({str(file)!r})\n"
        "first, *rest = file.read_text().split()\n"
        "file.write_text(' '.join(rest))\n"
        "sys.exit(int(first))\n"
    )
    return [sys.executable, "-c", program]


@pytest.fixture(autouse=True)
def _own_signals() -> object:
    before = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)}
    yield
    for name, handler in before.items():
        signal.signal(name, handler)


def test_failures_are_started_again_with_growing_patience(tmp_path: Path) -> None:
    waits: list[float] = []
    code = Supervisor(script(tmp_path, 70, 75, 70, 0), sleep=waits.append).run()
    assert code == 0
    assert waits == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("code", [1, 2])
def test_what_a_human_must_mend_is_not_started_again(tmp_path: Path, code: int) -> None:
    waits: list[float] = []
    assert Supervisor(script(tmp_path, code, 0), sleep=waits.append).run() == code
    assert waits == []


def test_a_killed_worker_is_started_again(tmp_path: Path) -> None:
    marker = tmp_path / "once"
    program = (
        "import os, pathlib, signal\n"
        f"marker = pathlib.Path({str(marker)!r})\n"
        "if not marker.exists():\n"
        "    marker.touch()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    waits: list[float] = []
    assert Supervisor([sys.executable, "-c", program], sleep=waits.append).run() == 0
    assert waits == [0.5]


def test_sigterm_reaches_the_worker_and_ends_both(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    child = f"import pathlib, time; pathlib.Path({str(ready)!r}).touch(); time.sleep(60)"
    parent = (
        "import sys\n"
        "from stillwatch_streams.supervisor import Supervisor\n"
        f"sys.exit(Supervisor([sys.executable, '-c', {child!r}]).run())\n"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], env=os.environ)
    deadline = time.monotonic() + 30
    while not ready.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
