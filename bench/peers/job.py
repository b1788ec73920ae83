"""What a peer is told, and how it is timed: the clock starts with its first record and stops with its last."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

import msgspec

POLL_SECONDS = 0.05


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one peer."""

    peer: str
    bootstrap: str
    topic: str
    """One partition of requests; the peer begins at its start."""
    alerts: str
    """Where alerts go; one partition, made beforehand."""
    records: int
    """The clock stops after so many."""
    name: str
    """Not used by any other run: for consumer groups, topics of the peer's own, folders."""
    folder: str
    """For files of the peer's own."""
    core: int | None = None
    """The one core that the process and all its threads may use."""
    ordered: bool = False
    """Work in the topic's order at any price: to prove that the work is the same."""
    held: str = ""
    """A file that the peer makes at its first record; it waits until the file is removed, to attach a profiler."""
    env: dict[str, str] = {}
    """Settings of a Stillwatch worker."""


class Reading(msgspec.Struct, frozen=True):
    """One reading of both clocks."""

    wall: float
    """Monotonic seconds."""
    cpu: float
    """Seconds of processor time of all threads."""

    @classmethod
    def now(cls) -> Reading:
        """Read both clocks of this process."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        return cls(time.monotonic(), used.ru_utime + used.ru_stime)


class Timed(msgspec.Struct, frozen=True, kw_only=True):
    """What a run says about itself, as one line on standard output."""

    records: int
    begin: Reading
    end: Reading
    rss_mib: float
    """Peak resident memory of the process so far."""


class Meter:
    """Counts records and prints a `Timed` when the wanted number has been processed; then the peer just goes on."""

    def __init__(self, job: Job) -> None:
        self._wanted = job.records
        self._held = Path(job.held) if job.held else None
        self._begin: Reading | None = None
        self._count = 0
        self._done = False

    def begin(self) -> None:
        """Call before the work on a record or a batch of them; only the first call counts."""
        if self._begin is None:
            if self._held:
                _hold(self._held)
            self._begin = Reading.now()

    def count(self, records: int = 1) -> None:
        """Call after it."""
        self._count += records
        if self._done or self._count < self._wanted or self._begin is None:
            return
        self._done = True
        end = Reading.now()
        timed = Timed(records=self._count, begin=self._begin, end=end, rss_mib=round(peak_rss_mib(), 1))
        os.write(1, msgspec.json.encode(timed) + b"\n")  # not sys.stdout, which Faust makes a log


def _hold(file: Path) -> None:
    file.touch()
    while file.exists():
        time.sleep(POLL_SECONDS)


def peak_rss_mib() -> float:
    """Peak resident memory of this process; what getrusage says would include the parent's before the exec."""
    status = Path("/proc/self/status").read_text()
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0.0)


def pin(core: int | None) -> None:
    """Keep this process, and every thread it will start, on one core where the system can do that."""
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
