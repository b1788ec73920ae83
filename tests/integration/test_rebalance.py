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


async def test_a_worker_without_a_partition_stands_by(broker: Broker, tmp_path: Path) -> None:
    """Three workers, two partitions: one idles, is ready, and takes over when another dies."""
    live = await Live(broker, tmp_path).create_topics()
    places = [live, *(Live(broker, tmp_path, **live.env | port()) for _ in range(2))]
    with places[0].worker() as first, places[1].worker() as second, places[2].worker() as third:
        workers = [first, second, third]
        for worker in workers:
            await worker.ready()
        held = await settled(workers, [0, 1, 1])
        idle = workers.pop(held.index(0))
        assert (await idle.get("/readyz"))[0] == 200
        workers.pop().kill()
        await settled([idle, *workers], [1, 1])
        await idle.ready()


async def test_a_worker_with_a_lasting_name_comes_back_without_disturbing_the_others(
    broker: Broker, tmp_path: Path
) -> None:
    if broker.kind == "embedded":
        pytest.skip("the embedded broker knows no static members")
    patient = {"STILLWATCH_SERVICE__SESSION_TIMEOUT_SECONDS": "45"}
    live = await Live(broker, tmp_path, **patient | {"STILLWATCH_SERVICE__INSTANCE_ID": "one"}).create_topics()
    other = Live(broker, tmp_path, **live.env | port() | {"STILLWATCH_SERVICE__INSTANCE_ID": "two"})
    with live.worker() as first, other.worker() as second:
        await settled([first, second], [1, 1])
        before = live.log.read_text().count('"assigned"')
        second.kill()
        await second.start().ready()
        await settled([first, second], [1, 1])
        assert live.log.read_text().count('"assigned"') == before, live.log_tail()


def port() -> dict[str, str]:
    return {"STILLWATCH_SERVICE__HTTP_PORT": str(free_port())}


async def partitions_of(worker: Worker) -> int:
    return (await worker.get("/metrics"))[1].count("stillwatch_checkpoint_timestamp_seconds{")


async def settled(workers: list[Worker], counts: list[int]) -> list[int]:
    """Wait until the workers have so many partitions, in whatever order; how many each has."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while sorted(held := [await partitions_of(worker) for worker in workers]) != counts:
        assert time.monotonic() < deadline, f"never shared as {counts}: {workers[0].live.log_tail()}"
        await asyncio.sleep(0.2)
    return held
