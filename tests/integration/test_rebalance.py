"""Two workers share the partitions; one comes, one goes, one is killed: still each alert once by id, clean state."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import pytest
from stillwatch_schemas.codec import encode_request
from stillwatch_streams.server_process import free_port
from support.brokers import Broker
from support.builders import make_event
from support.counting import CountingShard
from support.kafka_io import Message, produce
from support.live import PATIENCE_SECONDS, Live, Worker, alert_uids

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

ROUNDS = 24
EVENTS = 500


def wave(number: int, start_ms: int) -> list[Message]:
    """One second of requests, later than every wave before."""
    dice = random.Random(number)
    built = [
        make_event(
            event_id=f"{number}-{n}", ts=start_ms + number * 1_000 + n * 2, account_id=f"acct-{dice.randrange(40)}"
        )
        for n in range(EVENTS)
    ]
    return [Message(value=encode_request(event), key=event.account_id.encode()) for event in built]


async def pour(live: Live, start_ms: int) -> None:
    for number in range(ROUNDS):
        await produce(live.broker.bootstrap, live.names.requests, wave(number, start_ms))
        await asyncio.sleep(1.0)


async def assigned(worker: Worker, count: int) -> None:
    """Wait until the worker has so many partitions."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (await worker.get("/metrics"))[1].count("stillwatch_checkpoint_timestamp_seconds{") != count:
        assert time.monotonic() < deadline, f"never had {count} partitions: {worker.live.log_tail()}"
        await asyncio.sleep(0.2)


async def test_partitions_move_between_two_workers(broker: Broker, tmp_path: Path) -> None:
    live = await Live(broker, tmp_path).create_topics()
    other = Live(broker, tmp_path, **live.env | {"STILLWATCH_SERVICE__HTTP_PORT": str(free_port())})
    load = asyncio.create_task(pour(live, time.time_ns() // 1_000_000 - 60_000))
    with live.worker() as first, other.worker() as second:
        await assigned(first, 1)
        await assigned(second, 1)
        second.kill()
        await assigned(first, 2)
        await second.start().ready()
        await assigned(first, 1)
        assert second.stop() == 0, other.log_tail()
        await assigned(first, 2)
        await load
        clean = await live.clean_run(CountingShard)
        found = await live.caught_up(clean)
        assert first.stop() == 0, live.log_tail()
    assert [recovery.rows for recovery in found] == clean.snapshots
    published = alert_uids(await live.read(live.names.alerts))
    assert set(published) == clean.alert_uids
