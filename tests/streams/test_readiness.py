"""A worker says why it is not ready."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP
from stillwatch_streams.readiness import problems, watch_ends

PLACE = TP("requests", 0)


def worker(*, recovering: bool = False, quiet: float = 0.0, unchecked: float = 0.0, end: int = 10) -> Any:
    """A worker with one partition; seconds since progress and since the last checkpoint."""
    now = time.monotonic()
    runner = SimpleNamespace(progressed=now - quiet, checkpointed=now - unchecked, offset=10)
    return SimpleNamespace(recovering=recovering, runners={PLACE: runner}, end_offsets={PLACE: end})


def test_all_well() -> None:
    assert problems(worker(), stall_seconds=60) == []


def test_silence_without_lag_is_no_problem() -> None:
    assert problems(worker(quiet=900), stall_seconds=60) == []


def test_lag_with_progress_is_no_problem() -> None:
    assert problems(worker(end=5_000), stall_seconds=60) == []


def test_offsets_that_stand_still_are_a_problem() -> None:
    (problem,) = problems(worker(quiet=90, end=5_000), stall_seconds=60)
    assert "requests, partition 0: no progress for 90 s with 4990 records to read" in problem


def test_checkpoints_that_fail_are_a_problem() -> None:
    (problem,) = problems(worker(unchecked=75), stall_seconds=60)
    assert "no checkpoint for 75 s" in problem


def test_recovery_is_a_problem_until_it_is_over() -> None:
    (problem,) = problems(worker(recovering=True), stall_seconds=60)
    assert "recovering" in problem


@pytest.mark.parametrize(("end", "found"), [(10, 0), (5_000, 1)])
async def test_the_end_of_the_log_is_asked_apart_from_fetching(end: int, found: int) -> None:
    async def highwaters(*partitions: TP) -> dict[TP, int]:
        return dict.fromkeys(partitions, end)

    app = worker(quiet=900)
    app.consumer = SimpleNamespace(highwaters=highwaters)
    watching = asyncio.create_task(watch_ends(app, every_seconds=0.01))
    async with asyncio.timeout(5):
        while app.end_offsets[PLACE] != end or (end == 10 and time.monotonic() - app.runners[PLACE].progressed > 1):
            await asyncio.sleep(0.01)
    watching.cancel()
    assert len(problems(app, stall_seconds=60)) == found
