"""Faust by the book: a typed Record, a tumbling Table, an agent that takes one event after another; River beside it.

`broker_commit_interval` is a second, as with the others. The table's values are pairs rather than two tables, which
saves Faust half of its table work.
"""

from __future__ import annotations

from typing import Any

import faust

from peers.job import Job, Meter
from peers.work import ALERT_ABOVE, WINDOW_SECONDS, features, new_forest


class Request(faust.Record, serializer="json"):  # type: ignore[misc,call-arg]  # Faust publishes no usable types
    """The fields that the work needs."""

    event_id: str
    ts: int
    account_id: str
    latency_ms: float
    input_tokens: int
    output_tokens: int


class Strange(faust.Record, serializer="json"):  # type: ignore[misc,call-arg]  # as above
    """An alert."""

    event_id: str
    account_id: str
    score: float


def run(job: Job, meter: Meter) -> None:
    """Run a Faust worker until killed."""
    app = faust.App(
        job.name,
        broker=f"kafka://{job.bootstrap}",
        store="memory://",
        datadir=job.folder,
        topic_partitions=1,
        topic_disable_leader=True,
        broker_commit_interval=1.0,
        web_enabled=False,
        processing_guarantee="at_least_once",
    )
    requests = app.topic(job.topic, value_type=Request, key_type=bytes)
    alerts = app.topic(job.alerts, value_type=Strange, key_type=str)
    table = app.Table("windows", default=lambda: [0, 0], partitions=1).tumbling(WINDOW_SECONDS, expires=3_600.0)
    forest = new_forest()

    @app.agent(requests)  # type: ignore[untyped-decorator]  # Faust publishes no usable types
    async def score_requests(stream: Any) -> None:
        async for request in stream:
            meter.begin()
            count, tokens = table[request.account_id].value()
            count, tokens = count + 1, tokens + request.input_tokens + request.output_tokens
            table[request.account_id] = [count, tokens]
            row = features(request.input_tokens, request.output_tokens, request.latency_ms, count, tokens)
            score = forest.score_one(row)
            forest.learn_one(row)
            if score > ALERT_ABOVE:
                await alerts.send(
                    key=request.account_id,
                    value=Strange(event_id=request.event_id, account_id=request.account_id, score=score),
                )
            meter.count()

    faust.Worker(app, loglevel="WARNING").execute_from_commandline()
