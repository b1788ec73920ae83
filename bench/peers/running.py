"""A contestant's process: started, listened to, ended."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
from stillwatch_streams import tied

from peers.job import Job, Timed

BENCH = Path(__file__).resolve().parents[1]
PATIENCE_SECONDS = 180.0


@contextlib.contextmanager
def running(job: Job) -> Iterator[subprocess.Popen[bytes]]:
    """The contestant's process; it dies with us, and at the end of the block."""
    child = [sys.executable, "-m", "peers.child", msgspec.json.encode(job).decode()]
    folder = Path(job.folder)
    folder.mkdir(parents=True)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, tied.__file__, str(os.getpid()), *child],
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=BENCH,
            env=os.environ | {"PYTHONWARNINGS": "ignore"},  # Faust's own, by the thousand
        )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def read_result(process: subprocess.Popen[bytes], job: Job) -> Timed:
    """The line that the meter prints; RuntimeError with the end of the log where none comes."""
    timer = threading.Timer(PATIENCE_SECONDS, process.kill)
    timer.start()
    try:
        for line in process.stdout or ():
            if line.startswith(b'{"records"'):
                return msgspec.json.decode(line, type=Timed)
    finally:
        timer.cancel()
    raise RuntimeError(
        f"{job.peer} ended, or was ended after {PATIENCE_SECONDS:g} s, before it had read {job.records} records; its"
        f" log ends: {(Path(job.folder) / 'log').read_text()[-3000:]}"
    )
