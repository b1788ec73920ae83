"""`stillwatch demo` itself: the real programs, until both campaigns are alerted and one is refused, then Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import psutil
import pytest

COMMAND = [sys.executable, "-m", "stillwatch_agents", "demo"]


def environment(folder: Path) -> dict[str, str]:
    """A settings variable of somebody else's must not lead the demo astray."""
    return {**os.environ, "TMPDIR": str(folder), "STILLWATCH_BROKER__BOOTSTRAP": "127.0.0.1:1"}


@pytest.mark.slow
def test_campaigns_are_found_and_slowed_down_and_nothing_is_left_behind(tmp_path: Path) -> None:
    demo = subprocess.Popen(COMMAND, stdout=subprocess.PIPE, text=True, env=environment(tmp_path))
    assert demo.stdout is not None
    lines: list[str] = []
    family: list[psutil.Process] = []
    try:
        deadline = time.monotonic() + 150
        for line in demo.stdout:
            lines.append(line)
            if not family and "live" in line:
                family = psutil.Process(demo.pid).children(recursive=True)
            found = "(truth: loud)" in "".join(lines) and "DIRECTIVE throttle" in "".join(lines)
            if (found and "loud 200 x" in line and "429 x" in line) or time.monotonic() > deadline:
                break
        demo.send_signal(signal.SIGINT)
        rest, _ = demo.communicate(timeout=60)
    finally:
        demo.kill()
    told = "".join(lines)
    assert demo.returncode == 0, told + rest
    assert "memory only" in told
    assert "(truth: loud)" in told, told
    assert "DIRECTIVE throttle" in told, told
    assert "429 x" in told, told
    assert "campaign 'loud'" in rest, "the summary"
    assert len(family) >= 3, "broker, worker, gateway"
    assert not [process for process in family if process.is_running()]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_duration_ends_it_with_one_json_document_even_while_it_starts(tmp_path: Path) -> None:
    command = [*COMMAND, "--duration", "2", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(tmp_path), timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    summary = msgspec.json.decode(done.stdout)
    assert summary["benign_accounts"] == 690
    assert {campaign["campaign"] for campaign in summary["campaigns"]} == {"loud", "quiet"}
    assert list(tmp_path.iterdir()) == []
