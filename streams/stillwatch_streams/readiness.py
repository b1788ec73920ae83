"""Why a worker is not ready, in words: recovery under way, checkpoints that fail, offsets that stand still."""

from __future__ import annotations

import time

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


def update_gauges(app: WorkerApp) -> None:
    """Bring lag and shard counters up to date, at scrape time."""
    for tp, runner in app.runners.items():
        agent = runner.agent
        app.metrics.lag.labels(agent, str(tp.partition)).set(lag_of(app, tp))
        for name, value in runner.gauges().items():
            app.metrics.shard.labels(agent, str(tp.partition), name).set(value)
