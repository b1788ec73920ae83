"""`--jobs N`: whoever shares the work, the files are the same; and a process that fails ends the run with a reason."""

from __future__ import annotations

import gzip
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from stillwatch_schemas.errors import StillwatchError
from stillwatch_schemas.events import RequestEvent
from stillwatch_streams.ingest import Ingest, ingest_for
from stillwatch_streams.replay.crew import captain
from stillwatch_streams.replay.crew.captain import shares
from stillwatch_streams.replay.run import Job, replay
from stillwatch_streams.replay.stopping import StopFlag
from stillwatch_streams.settings import SourceSettings
from stillwatch_streams.simulator import generate, load_scenario
from stillwatch_streams.sources import TimeRange, open_source
from stillwatch_streams.sources.base import CHUNK_RECORDS
from support.builders import T0, make_event, make_verdict
from support.traffic import small_config

CONFIG = small_config(hard_ceiling_per_minute=20)
"""Quick to accuse: this is about equal results, so there must be some."""
SAME = ("alerts.jsonl", "directives.jsonl", "dlq.jsonl", "accounts.csv", "campaigns.csv")


@pytest.fixture(scope="module")
def events() -> list[RequestEvent]:
    """The simulator's smallest story with its texts, and an account that passes the ceiling."""
    story = [one.event for one in generate(load_scenario("tiny"), 1, T0)]
    burst = [make_event(event_id=f"b{n}", ts=T0 + 7_200_000 + n * 500, account_id=f"burst-{n % 4}") for n in range(200)]
    return sorted([*story, *burst], key=lambda event: event.ts)


def written(path: Path, events: Sequence[RequestEvent]) -> Path:
    path.write_bytes(b"".join(msgspec.json.encode(event) + b"\n" for event in events))
    return path


def job_of(out: Path, *paths: Path, **overrides: Any) -> Job:
    options = {
        "sources": [open_source(str(path), TimeRange()) for path in paths],
        "ingest": ingest_for(SourceSettings(), has_broker_time=False),
        "config": CONFIG,
        "partitions": 1,
        "out": out,
    }
    return Job(**(options | overrides))


def files(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in SAME}


@pytest.mark.parametrize("jobs", [2, 4])
def test_partitions_of_other_processes_give_the_same_bytes(
    events: list[RequestEvent], tmp_path: Path, jobs: int
) -> None:
    """Two files to merge, a line that is none, a span of time, and verdicts on accounts of several processes."""
    odd, even = (written(tmp_path / f"{n}.jsonl", events[n::2]) for n in (0, 1))
    odd.write_bytes(b"nonsense\n" + odd.read_bytes())
    verdicts = [
        make_verdict(verdict_id=f"v{n}", subject=f"burst-{n}", label="distillation", at=T0 + 8_000_000)
        for n in range(4)
    ]
    given = {"partitions": 3, "verdicts": verdicts, "between": TimeRange(T0 + 60_000, None)}
    alone = replay(job_of(tmp_path / "alone", odd, even, **given))
    shared = replay(job_of(tmp_path / "shared", odd, even, jobs=jobs, **given))
    assert files(tmp_path / "alone") == files(tmp_path / "shared")
    assert (alone.events, alone.alerts, alone.dead_letters) == (shared.events, shared.alerts, shared.dead_letters)
    assert all(files(tmp_path / "shared")[name] for name in ("alerts.jsonl", "directives.jsonl", "dlq.jsonl"))
    assert 0 < shared.busiest_cpu_seconds < shared.cpu_seconds


@pytest.mark.parametrize("jobs", [2, 3])
def test_sketches_from_other_processes_give_the_same_bytes(
    events: list[RequestEvent], tmp_path: Path, jobs: int
) -> None:
    path = written(tmp_path / "events.jsonl", events)
    replay(job_of(tmp_path / "alone", path))
    replay(job_of(tmp_path / "shared", path, jobs=jobs))
    assert files(tmp_path / "alone") == files(tmp_path / "shared")
    assert files(tmp_path / "shared")["alerts.jsonl"]


def test_a_process_that_is_far_behind_is_waited_for(
    events: list[RequestEvent], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing under way but one chunk."""
    path = written(tmp_path / "events.jsonl", events)
    replay(job_of(tmp_path / "alone", path, partitions=2))
    monkeypatch.setattr(captain, "MOST_UNDER_WAY", 0)
    replay(job_of(tmp_path / "shared", path, partitions=2, jobs=2))
    assert files(tmp_path / "alone") == files(tmp_path / "shared")


@pytest.mark.parametrize(
    ("partitions", "jobs", "expected"),
    [
        (1, 2, [(), (0,)]),
        (1, 8, [(), (0,)]),
        (2, 2, [(0,), (1,)]),
        (2, 3, [(), (0,), (1,)]),
        (4, 2, [(0,), (1, 2, 3)]),
        (8, 4, [(), (0, 3, 6), (1, 4, 7), (2, 5)]),
    ],
)
def test_whoever_reads_keeps_fewer_partitions(partitions: int, jobs: int, expected: list[tuple[int, ...]]) -> None:
    assert shares(partitions, jobs) == expected


@pytest.mark.parametrize("jobs", [2, 3, 5, 16])
@pytest.mark.parametrize("partitions", [1, 2, 3, 7, 16])
def test_every_partition_has_one_home(partitions: int, jobs: int) -> None:
    given = shares(partitions, jobs)
    assert sorted(partition for share in given for partition in share) == list(range(partitions))
    assert len(given) <= jobs
    assert all(given[1:])


def long_file(tmp_path: Path) -> Path:
    """More than one chunk."""
    return written(
        tmp_path / "long.jsonl",
        [make_event(event_id=f"e{n}", ts=T0 + n * 20, account_id=f"acct-{n % 9}", prompt="Hi.") for n in range(9_000)],
    )


@pytest.mark.parametrize("partitions", [1, 3])
def test_stopped_early_the_files_tell_of_the_same_events(tmp_path: Path, partitions: int) -> None:
    path = long_file(tmp_path)
    for jobs in (1, 2):
        stop = StopFlag()
        stop.requested = True
        done = replay(job_of(tmp_path / str(jobs), path, jobs=jobs, partitions=partitions), stop=stop)
        assert (done.interrupted, done.events) == (True, CHUNK_RECORDS)
    assert files(tmp_path / "1") == files(tmp_path / "2")
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(
    ("partitions", "message"),
    [
        (1, "sketches texts|ended with exit"),  # whichever of the dead is asked first
        (2, "ended with exit"),
    ],
)
def test_a_process_that_dies_ends_the_run_with_a_reason(tmp_path: Path, partitions: int, message: str) -> None:
    def murder(_done: int, _size: int, _events: int) -> None:
        for child in multiprocessing.active_children():
            child.kill()
            child.join()

    many = [long_file(tmp_path) for _ in range(4)]  # so many steps that some have not been sketched ahead
    with pytest.raises(StillwatchError, match=message):
        replay(job_of(tmp_path / "out", *many, jobs=2, partitions=partitions), progress=murder)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_damaged_file_is_told_as_ever(tmp_path: Path) -> None:
    good = long_file(tmp_path)
    bad = tmp_path / "bad.jsonl.gz"
    bad.write_bytes(gzip.compress(good.read_bytes())[:-1_000])
    for jobs, partitions in ((1, 2), (2, 2), (1, 1), (2, 1)):
        out = tmp_path / f"{jobs}-{partitions}"
        done = replay(job_of(out, good, bad, jobs=jobs, partitions=partitions))
        assert done.error is not None
        assert "truncated" in done.error
        assert done.events > 9_000
    assert files(tmp_path / "1-2") == files(tmp_path / "2-2")
    assert files(tmp_path / "1-1") == files(tmp_path / "2-1")


def test_ctrl_c_is_answered_by_the_main_process_alone(tmp_path: Path) -> None:
    """A terminal sends it to all processes, here while the others are just being born."""
    out = tmp_path / "out"
    command = ["replay", str(long_file(tmp_path)), "--out", str(out), "--jobs", "2", "--partitions", "2"]
    with subprocess.Popen(
        [sys.executable, "-m", "stillwatch_agents", *command], stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        wait_until(lambda: any(out.glob(".dlq.jsonl.*.partial")), process)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (1, b"")
    assert json.loads((out / "summary.json").read_bytes())["interrupted"] is True


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Until then or until the process has ended."""
    deadline = time.monotonic() + 60
    while not condition() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert condition()


def test_without_a_sketcher_there_is_nothing_to_share(tmp_path: Path) -> None:
    path = written(tmp_path / "e.jsonl", [make_event()])
    assert replay(job_of(tmp_path / "out", path, jobs=4, ingest=Ingest())).events == 1
