"""Why a worker is not ready, in words: recovery under way, checkpoints that fail, offsets that stand still."""

from __future__ import annotations

import asyncio
import time

from aiokafka.errors import KafkaError
from faust.types import TP

from stillwatch_streams.app import WorkerApp


def problems(app: WorkerApp, *, stall_seconds: float) -> list[str]:
    """Empty when ready."""
    if app.recovering:
        return ["recovering: waiting for partitions, or reading their checkpoints"]
    now = time.monotonic()
    found = []
    for tp, runner in app.runners.items():
        where = f"{tp.topic}, partition {tp.partition}"
        if now - runner.checkpointed > stall_seconds:
            found.append(f"{where}: no checkpoint for {now - runner.checkpointed:.0f} s")
        lag = lag_of(app, tp)
        if lag and now - runner.progressed > stall_seconds:
            found.append(f"{where}: no progress for {now - runner.progressed:.0f} s with {lag} records to read")
    return found


def lag_of(app: WorkerApp, tp: TP) -> int:
    """Records between the processed offset and the end of the log as last heard."""
    end = app.end_offsets.get(tp)
    return max(0, end - app.runners[tp].offset) if end is not None else 0


async def watch_ends(app: WorkerApp, *, every_seconds: float = 5.0) -> None:
    """Ask where the logs end, apart from fetching: a fetcher that hangs must not look like a log that is silent.

    A partition with nothing to read counts as making progress. Never returns.
    """
    while True:
        await asyncio.sleep(every_seconds)
        partitions = list(app.runners)
        try:
            ends = await app.consumer.highwaters(*partitions) if partitions else {}
        except (KafkaError, OSError):
            continue  # the broker is away: checkpoints will say so
        for tp in partitions:
            if tp in app.runners and tp in ends:
                app.end_offsets[tp] = max(ends[tp], app.end_offsets.get(tp, 0))
                if not lag_of(app, tp):
                    app.runners[tp].progressed = time.monotonic()


def update_gauges(app: WorkerApp) -> None:
    """Bring lag and shard counters up to date, at scrape time."""
    for tp, runner in app.runners.items():
        agent = runner.agent
        app.metrics.lag.labels(agent, str(tp.partition)).set(lag_of(app, tp))
        for name, value in runner.gauges().items():
            app.metrics.shard.labels(agent, str(tp.partition), name).set(value)
