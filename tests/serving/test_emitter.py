"""The emitter on a real broker: events, acknowledgements, heartbeats, privacy; and outages that nobody waits for."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from stillwatch_schemas.acks import Ack
from stillwatch_schemas.codec import decode_request
from stillwatch_schemas.events import RequestEvent
from stillwatch_schemas.sketch import Sketcher, with_sketches
from stillwatch_serving.emitter import Emitter
from support.brokers import Broker
from support.builders import make_event
from support.kafka_io import Received, create_topics, read_all, unique
from support.kafka_node import KafkaNode
from support.waiting import until

NOWHERE = "127.0.0.1:1"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def make_emitter(bootstrap: str, topic: str, **overrides: Any) -> Emitter:
    options: dict[str, Any] = {
        "topic": topic,
        "acks_topic": f"{topic}.acks",
        "client_options": lambda: {"bootstrap_servers": bootstrap},
        "now_ms": now_ms,
        "heartbeat_seconds": 60.0,
    }
    return Emitter(**(options | overrides))


@contextlib.asynccontextmanager
async def publishing(emitter: Emitter) -> AsyncIterator[None]:
    task = asyncio.create_task(emitter.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def new_topic(broker: Broker, partitions: int = 2) -> str:
    topic = unique("requests")
    await create_topics(broker.bootstrap, [topic, f"{topic}.acks"], partitions=partitions)
    return topic


async def read_events(bootstrap: str, topic: str) -> list[Received]:
    """All records but heartbeats."""
    return [record for record in await read_all(bootstrap, topic) if record.value]


def numbered(count: int) -> list[RequestEvent]:
    return [make_event(event_id=f"ev-{n}", account_id=f"acct-{n % 7}") for n in range(count)]


@pytest.mark.kafka
async def test_every_event_arrives_once_under_its_accounts_key_and_in_order(broker: Broker) -> None:
    topic = await new_topic(broker)
    emitter = make_emitter(broker.bootstrap, topic)
    async with publishing(emitter):
        for event in numbered(1_000):
            emitter.emit(event)
        assert await emitter.drained(20)
    received = await read_events(broker.bootstrap, topic)
    events = [decode_request(record.value) for record in received]
    assert sorted(e.event_id for e in events) == sorted(e.event_id for e in numbered(1_000))
    assert all(record.key == event.account_id.encode() for record, event in zip(received, events, strict=True))
    for account in ("acct-0", "acct-3"):
        of_account = [e.event_id for e in events if e.account_id == account]
        assert of_account == [e.event_id for e in numbered(1_000) if e.account_id == account]
    assert emitter.counts["sent"] >= 1_000


@pytest.mark.kafka
async def test_silent_partitions_get_heartbeats_that_wait_for_running_requests(broker: Broker) -> None:
    topic = await new_topic(broker, partitions=3)
    began = now_ms() - 2_000
    emitter = make_emitter(broker.bootstrap, topic, heartbeat_seconds=0.2, oldest_running_ms=lambda: began)
    async with publishing(emitter):
        await until(lambda: emitter.counts["heartbeats"] >= 6, what="two rounds of heartbeats")
    beats = await read_all(broker.bootstrap, topic)
    assert {beat.partition for beat in beats} == {0, 1, 2}
    assert {beat.key for beat in beats} == {None}
    assert {beat.headers for beat in beats} == {(("stillwatch-heartbeat", str(began).encode()),)}


@pytest.mark.kafka
async def test_privacy_sends_the_sketch_and_no_text(broker: Broker) -> None:
    topic = await new_topic(broker)
    sketcher = Sketcher(b"sixteen bytes min")
    emitter = make_emitter(broker.bootstrap, topic, private=lambda events: with_sketches(events, sketcher))
    async with publishing(emitter):
        emitter.emit(make_event(prompt="the secret question", system_prompt="the secret order"))
        assert await emitter.drained(20)
    (record,) = await read_events(broker.bootstrap, topic)
    assert b"secret" not in (record.value or b"")
    event = decode_request(record.value)
    assert event.sketch == sketcher.sketch("the secret question", "the secret order")
    assert event.prompt_chars == 19


@pytest.mark.kafka
async def test_acknowledgements_arrive(broker: Broker) -> None:
    topic = await new_topic(broker)
    emitter = make_emitter(broker.bootstrap, topic)
    ack = Ack(key="account:a", directive_id="d", revision=3, node="n", at=now_ms(), outcome="applied", mode="enforce")
    async with publishing(emitter):
        emitter.acknowledge(ack)
        assert await emitter.drained(20)
    (record,) = await read_all(broker.bootstrap, f"{topic}.acks")
    assert record.key == b"account:a"
    assert msgspec.json.decode(record.value or b"", type=Ack) == ack


@pytest.mark.kafka
async def test_an_event_that_cannot_be_published_does_not_hold_up_the_next(broker: Broker) -> None:
    topic = await new_topic(broker)
    emitter = make_emitter(broker.bootstrap, topic)
    async with publishing(emitter):
        emitter.emit({"event_id": "no-account", "ts": now_ms(), "model": "m"})
        emitter.emit({"event_id": "e", "ts": now_ms(), "account_id": "a", "model": "m", "user_agent": "x" * 5_000})
        emitter.emit(make_event(event_id="huge", prompt="\u4e2d" * 262_144, system_prompt="\u4e2d" * 262_144))
        assert await emitter.drained(20)
    received = [decode_request(record.value) for record in await read_events(broker.bootstrap, topic)]
    assert sorted(event.event_id for event in received) == ["e", "huge"]
    assert emitter.counts["unfit"] == 1


@pytest.mark.kafka
@pytest.mark.slow
async def test_events_of_an_outage_arrive_after_it(durable_broker: KafkaNode) -> None:
    """The broker is killed and comes back; what it did not confirm is sent again."""
    topic = unique("requests")
    await create_topics(durable_broker.bootstrap, [topic])
    emitter = make_emitter(durable_broker.bootstrap, topic)
    async with publishing(emitter):
        for event in numbered(25):
            emitter.emit(event)
        assert await emitter.drained(20)
        restart = asyncio.create_task(asyncio.to_thread(durable_broker.restart))
        for event in numbered(50)[25:]:
            emitter.emit(event)
            await asyncio.sleep(0.05)
        await restart
        assert await emitter.drained(60)
        received = await read_events(durable_broker.bootstrap, topic)
    ids = {decode_request(record.value).event_id for record in received}
    assert ids == {event.event_id for event in numbered(50)}


async def test_without_kafka_the_queue_is_bounded_and_drops_the_oldest() -> None:
    emitter = make_emitter(NOWHERE, "requests", queue_size=100)
    async with publishing(emitter):
        for event in numbered(250):
            emitter.emit(event)
        await asyncio.sleep(0)
        assert emitter.counts["dropped"] == 150
        assert [e.event_id for e in emitter._queue][:1] == ["ev-150"]  # type: ignore[union-attr]  # events were queued
        assert not await emitter.drained(0.1)


async def test_stopping_without_kafka_takes_no_time() -> None:
    emitter = make_emitter(NOWHERE, "requests")
    began = time.monotonic()
    async with publishing(emitter):
        emitter.emit(make_event())
        await until(lambda: time.monotonic() > began + 0.3, what="a failed attempt")
    assert time.monotonic() - began < 3
