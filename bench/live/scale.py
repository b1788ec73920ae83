"""Two workers against one, on two partitions of text events that arrive while they wait.

By the clock the second worker needs a core of its own, and broker and load generator need some of both: what they take
is measured, so that the figure can be judged. By processor time it shows whether two workers cost more than one.
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
        first = await Installation(node, Path(name), source__partitions=str(PARTITIONS)).create()
        async with contextlib.AsyncExitStack() as stack:
            places = [first] if count == 1 else [first, first.for_another_worker()]
            workers = [await stack.enter_async_context(Worker(place)) for place in places]
            for worker in workers:
                await worker.until_assigned(PARTITIONS // count)
                await worker.until_ready()
            return await _timed(node, first, workers, waiting)


async def _timed(
    node: KafkaNode, installation: Installation, workers: Sequence[Worker], waiting: Sequence[Entry]
) -> dict[str, float]:
    """From the first record's arrival until the last is processed."""
    before = [worker.reading() for worker in workers]
    broker = _cpu(node.pid)
    began = time.monotonic()
    records = await installation.fill(waiting)
    filled = time.monotonic()
    while await _read(workers) < records:  # noqa: ASYNC110 - another process can't set our events
        await asyncio.sleep(POLL_SECONDS)
    wall = time.monotonic() - began
    used = [worker.reading().cpu_seconds - start.cpu_seconds for worker, start in zip(workers, before, strict=True)]
    return {
        "events_per_second": round(records / wall),
        "events_per_cpu_second": round(records / sum(used)),
        "wall_seconds": round(wall, 2),
        "fill_seconds": round(filled - began, 2),
        "cores_used_by_workers": round(sum(used) / wall, 2),
        "cores_used_by_broker": round((_cpu(node.pid) - broker) / wall, 2),
    }


async def _read(workers: Sequence[Worker]) -> float:
    found = [await worker.metrics() for worker in workers]
    return sum(total(metrics, "events_total", agent="account") for metrics in found)


def _cpu(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system
