"""Did a contestant do the work? Its alerts, read from the broker, against the oracle's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import msgspec
from support.kafka_io import read_all

from peers.job import Job
from peers.topic import Topics
from peers.work import Alert, differences, overlap

PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.25
LEAST_OVERLAP = 0.5


async def check_alerts(job: Job, topics: Topics) -> None:
    """Wait for as many alerts as the oracle raises, and compare. RuntimeError where they differ."""
    wanted = topics.alerts_within(job.records)
    found = await alerts_once(job, lambda alerts: len(alerts) >= len(wanted))
    if wrong := differences(found, wanted):
        raise RuntimeError(f"{job.peer} does other work than the oracle: {wrong}")


async def check_overlap(job: Job, topics: Topics) -> float:
    """Share of alerts in common with the oracle over the first nine tenths, once an alert of the last tenth is there.

    RuntimeError where it is too small.
    """
    end = job.records * 9 // 10
    found = await alerts_once(job, lambda alerts: any(topics.place(alert) >= end for alert in alerts))
    share = overlap((alert for alert in found if topics.place(alert) < end), topics.alerts_within(end))
    if share < LEAST_OVERLAP:
        raise RuntimeError(f"{job.peer} shares only {share:.0%} of its alerts with the oracle")
    return round(share, 3)


async def alerts_once(job: Job, enough: Callable[[Sequence[Alert]], bool]) -> list[Alert]:
    """What was raised, as soon as it is enough, or when patience ends."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        records = await read_all(job.bootstrap, job.alerts)
        alerts = [msgspec.json.decode(record.value or b"", type=Alert) for record in records]
        if enough(alerts) or time.monotonic() > deadline:
            return alerts
        await asyncio.sleep(POLL_SECONDS)
