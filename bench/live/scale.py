"""Two workers against one, on two partitions of text events that wait in the topic.

The workers are warm and stand still while the topic is filled, so no load generator runs beside them. The rate is taken
between two fixed shares of the topic: from when panes end as fast as they begin, until before the first worker is done.

By the clock the second worker needs a core of its own, and the broker needs some of both: what it takes is measured, so
that the figure can be judged. By processor time it shows whether two workers cost more than one.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import psutil
from support.kafka_node import KafkaNode

from live.installation import POLL_SECONDS, Entry, Installation, Worker, total
from live.traffic import Dense, dense, encoded

ROUNDS = 3
PARTITIONS = 2
PAUSE_SECONDS = "60"
"""How long a worker may stand still and remain a member of its group."""
FROM, TO = 0.4, 0.85
"""Shares of the topic between which is measured. Panes end 40 s after they begin, of the traffic's 120 s."""


async def one_and_two(node: KafkaNode, wanted: Dense) -> dict[str, Any]:
    """Rounds of one worker and of two, in turns."""
    waiting = encoded(dense(wanted))
    found: dict[int, list[dict[str, float]]] = {1: [], 2: []}
    for _ in range(ROUNDS):
        for count, rounds in found.items():
            rounds.append(await _round(node, waiting, count))
    rates = {count: median(one["events_per_second"] for one in rounds) for count, rounds in found.items()}
    costs = {count: median(one["events_per_cpu_second"] for one in rounds) for count, rounds in found.items()}
    return {
        **msgspec.to_builtins(wanted),
        "partitions": PARTITIONS,
        "speedup_by_the_clock": round(rates[2] / rates[1], 2),
        "cost_of_an_event_with_two": round(costs[1] / costs[2], 2),
        "workers": {str(count): rounds for count, rounds in found.items()},
    }


async def _round(node: KafkaNode, waiting: Sequence[Entry], count: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        settings = {"source__partitions": str(PARTITIONS), "service__session_timeout_seconds": PAUSE_SECONDS}
        first = await Installation(node, Path(name), **settings).create()
        async with contextlib.AsyncExitStack() as stack:
            places = [first] if count == 1 else [first, first.for_another_worker()]
            workers = [await stack.enter_async_context(Worker(place)) for place in places]
            for worker in workers:
                await worker.until_assigned(PARTITIONS // count)
                await worker.until_ready()
            with contextlib.ExitStack() as pauses:
                for worker in workers:
                    pauses.enter_context(worker.paused())
                records = await first.fill(waiting)
            return await _timed(node, workers, records)


class Moment(msgspec.Struct, frozen=True):
    """How far the workers are, and what has been used by then."""

    read: float
    """Records processed, by all workers."""
    at: float
    """Monotonic seconds."""
    workers: float
    """Processor time, seconds."""
    broker: float


async def _timed(node: KafkaNode, workers: Sequence[Worker], records: int) -> dict[str, float]:
    """From the first sample behind `FROM` to the first behind `TO`."""
    began = await _until(FROM * records, node, workers)
    ended = await _until(TO * records, node, workers)
    read, wall, used = ended.read - began.read, ended.at - began.at, ended.workers - began.workers
    return {
        "events_per_second": round(read / wall),
        "events_per_cpu_second": round(read / used),
        "wall_seconds": round(wall, 2),
        "cores_used_by_workers": round(used / wall, 2),
        "cores_used_by_broker": round((ended.broker - began.broker) / wall, 2),
    }


async def _until(records: float, node: KafkaNode, workers: Sequence[Worker]) -> Moment:
    while (read := await _read(workers)) < records:  # noqa: ASYNC110 - another process can't set our events
        await asyncio.sleep(POLL_SECONDS)
    used = sum(worker.reading().cpu_seconds for worker in workers)
    return Moment(read, time.monotonic(), used, _cpu(node.pid))


async def _read(workers: Sequence[Worker]) -> float:
    found = [await worker.metrics() for worker in workers]
    return sum(total(metrics, "events_total", agent="account") for metrics in found)


def _cpu(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system
