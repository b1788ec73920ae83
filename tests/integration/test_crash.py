"""A worker may die at any time: no alert lost, none doubled by id, and the state of a clean run in the end."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from stillwatch_schemas.codec import encode_request
from support.brokers import Broker
from support.builders import make_event
from support.counting import BOMB, CountingShard
from support.kafka_io import Message, produce
from support.live import Live, alert_uids

pytestmark = pytest.mark.kafka

ACCOUNTS = 60


def events(count: int, *, start_ms: int, step_ms: int = 4, label: str = "e") -> list[Message]:
    """Ordinary requests in order of time, many accounts."""
    chosen = random.Random(5)
    built = [
        make_event(event_id=f"{label}-{n}", ts=start_ms + n * step_ms, account_id=f"acct-{chosen.randrange(ACCOUNTS)}")
        for n in range(count)
    ]
    return [
        Message(value=encode_request(event), key=event.account_id.encode(), timestamp_ms=event.ts) for event in built
    ]


async def pour(live: Live, messages: list[Message], seconds: float) -> None:
    """Produce over a while, so that workers are killed under load."""
    producer = AIOKafkaProducer(bootstrap_servers=live.broker.bootstrap, acks="all", linger_ms=5)
    await producer.start()
    try:
        began = time.monotonic()
        for number, message in enumerate(messages):
            await producer.send(live.names.requests, message.value, key=message.key, timestamp_ms=message.timestamp_ms)
            ahead = number / len(messages) * seconds - (time.monotonic() - began)
            if number % 200 == 0 and ahead > 0:
                await asyncio.sleep(ahead)
        await producer.flush()
    finally:
        await producer.stop()


@pytest.mark.slow
async def test_killed_five_times_under_load(broker: Broker, tmp_path: Path) -> None:
    live = await Live(broker, tmp_path, STILLWATCH_SERVICE__INSTANCE_ID="worker-0").create_topics()
    messages = events(30_000, start_ms=time.time_ns() // 1_000_000 - 120_000)
    dice = random.Random(7)
    load = asyncio.create_task(pour(live, messages, seconds=30))
    worker = live.worker()
    try:
        for _ in range(5):
            await worker.start().ready()
            before = await worker.metric("stillwatch_events_total")
            deadline = time.monotonic() + 30
            while await worker.metric("stillwatch_events_total") <= before and not load.done():
                assert time.monotonic() < deadline, live.log_tail()
                await asyncio.sleep(0.05)
            await asyncio.sleep(dice.uniform(0.0, 1.2))
            worker.kill()
        await load
        await worker.start().ready()
        clean = await live.clean_run(CountingShard)
        found = await live.caught_up(clean)
        assert worker.stop() == 0, live.log_tail()
    finally:
        load.cancel()
        if worker.process is not None and worker.process.poll() is None:
            worker.kill()
    assert [recovery.rows for recovery in found] == clean.snapshots
    published = alert_uids(await live.read(live.names.alerts))
    assert set(published) == clean.alert_uids
    assert len(clean.alert_uids) > 1_000
    again = len(published) - len(set(published))
    logging.getLogger(__name__).info("%d alerts, %d of them published again", len(set(published)), again)


async def test_a_graceful_stop_leaves_a_checkpoint_and_nothing_is_said_twice(broker: Broker, tmp_path: Path) -> None:
    live = await Live(broker, tmp_path).create_topics()
    start = time.time_ns() // 1_000_000 - 60_000
    await produce(broker.bootstrap, live.names.requests, events(4_000, start_ms=start))
    with live.worker() as worker:
        await worker.ready()
        first = await live.caught_up(await live.clean_run(CountingShard))
        assert worker.stop() == 0, live.log_tail()
    more = events(4_000, start_ms=start + 4_000 * 4, label="more")
    await produce(broker.bootstrap, live.names.requests, more)
    with live.worker() as worker:
        await worker.ready()
        clean = await live.clean_run(CountingShard)
        second = await live.caught_up(clean)
        assert worker.stop() == 0, live.log_tail()
    counted = Counter(alert_uids(await live.read(live.names.alerts)))
    assert set(counted) == clean.alert_uids
    assert set(counted.values()) == {1}
    assert [recovery.rows for recovery in second] == clean.snapshots
    assert all(old.marker and new.marker and new.marker.term > old.marker.term
               for old, new in zip(first, second, strict=True))  # fmt: skip


async def test_a_wiped_checkpoint_topic_refuses_to_start_and_reset_goes_on(broker: Broker, tmp_path: Path) -> None:
    live = await Live(broker, tmp_path).create_topics()
    start = time.time_ns() // 1_000_000 - 60_000
    await produce(broker.bootstrap, live.names.requests, events(1_000, start_ms=start))
    with live.worker() as worker:
        await worker.ready()
        await live.caught_up(await live.clean_run(CountingShard))
        assert worker.stop() == 0, live.log_tail()
    wiped = Live(broker, tmp_path, **live.env)
    await produce(broker.bootstrap, live.names.checkpoints("account"), await tombstones(live))
    with wiped.worker() as worker:
        assert await worker.exit_code() == 1, live.log_tail()
    assert "holds no checkpoint" in wiped.log_tail()
    assert "--reset-state" in wiped.log_tail()
    with wiped.worker("--reset-state") as worker:
        await worker.ready()
        assert worker.stop() == 0


async def tombstones(live: Live) -> list[Message]:
    """What removes every row of the checkpoint topic."""
    records = await live.read(live.names.checkpoints("account"))
    keys = {(record.partition, record.key) for record in records}
    return [Message(value=None, key=key, partition=partition) for partition, key in keys]


@pytest.mark.slow
async def test_a_record_that_ends_the_worker_twice_goes_to_the_dlq(broker: Broker, tmp_path: Path) -> None:
    live = await Live(broker, tmp_path, STILLWATCH_SERVICE__INSTANCE_ID="worker-0").create_topics()
    start = time.time_ns() // 1_000_000 - 60_000
    bomb = make_event(event_id="bomb", account_id=BOMB, ts=start + 1_000)
    await produce(broker.bootstrap, live.names.requests, events(500, start_ms=start, step_ms=2))
    await produce(
        broker.bootstrap,
        live.names.requests,
        [Message(value=encode_request(bomb), key=b"bomb", timestamp_ms=bomb.ts, partition=0)],
    )
    await produce(broker.bootstrap, live.names.requests, events(500, start_ms=start + 2_000, step_ms=2))
    last = encode_request(make_event(account_id="last", ts=start + 10_000))  # closes every pane before it
    ends = [Message(value=last, timestamp_ms=start + 10_000, partition=partition) for partition in range(2)]
    await produce(broker.bootstrap, live.names.requests, ends)
    for _ in range(2):
        with live.worker() as worker:
            assert await worker.exit_code() == 70, live.log_tail()
    with live.worker() as worker:
        await worker.ready()
        deadline = time.monotonic() + 60
        while (counts := await counted(live)).total() < 1_000:
            assert time.monotonic() < deadline, f"{counts.total()} counted: {live.log_tail()}"
            await asyncio.sleep(0.2)
        assert worker.stop() == 0
    letters = await live.read(live.names.dlq(live.names.requests))
    assert [dict(letter.headers)["__dlq.errors.code"] for letter in letters] == [b"poison"]
    assert [letter.value for letter in letters] == [encode_request(bomb)]
    assert counts.total() == 1_000
    assert BOMB not in counts


async def counted(live: Live) -> Counter[str]:
    """Requests counted by account, as the checkpoints say."""
    counts: Counter[str] = Counter()
    for partition, recovery in enumerate(await live.recovered()):
        shard = CountingShard(partition)
        if recovery.marker is not None:
            shard.restore(recovery.rows)
        counts += shard.counts
    return counts
