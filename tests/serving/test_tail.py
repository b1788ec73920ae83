"""The tail on a real broker: everything from the start, then live; and what happens while there is no broker."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest
from stillwatch_schemas.codec import encode_directive
from stillwatch_schemas.directives import Directive
from stillwatch_serving.cache import Applied, DirectiveCache
from stillwatch_serving.tail import DirectiveTail
from stillwatch_streams.embedded import EmbeddedBroker
from support.brokers import Broker
from support.builders import make_directive
from support.kafka_io import Message, create_topics, produce, unique
from support.waiting import until

pytestmark = pytest.mark.kafka


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def trust(_value: bytes) -> None:
    """Signatures are the cache's tests."""


def fresh(**overrides: object) -> Directive:
    at = now_ms()
    return make_directive(**({"issued_at": at, "not_before": at, "expires_at": at + 600_000} | overrides))


def record(directive: Directive) -> Message:
    return Message(encode_directive(directive), key=directive.key.encode())


@contextlib.asynccontextmanager
async def following(
    bootstrap: str, topic: str, cache: DirectiveCache
) -> AsyncIterator[tuple[DirectiveTail, list[Applied]]]:
    changes: list[Applied] = []
    tail = DirectiveTail(
        cache,
        topic=topic,
        client_options=lambda: {"bootstrap_servers": bootstrap},
        now_ms=now_ms,
        on_change=lambda applied, _at: changes.append(applied),
    )
    task = asyncio.create_task(tail.run())
    try:
        yield tail, changes
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_it_reads_all_from_the_start_and_then_follows(broker: Broker) -> None:
    topic = unique("enforcement")
    await create_topics(broker.bootstrap, [topic], partitions=3, config={"cleanup.policy": "compact"})
    early = [fresh(subject=f"acct-{n}") for n in range(20)]
    await produce(broker.bootstrap, topic, [record(d) for d in early])
    await produce(broker.bootstrap, topic, [Message(None, key=b"account:acct-3")])
    cache = DirectiveCache(trust)
    async with following(broker.bootstrap, topic, cache) as (tail, changes):
        await until(lambda: tail.status.loaded and len(cache) == 19, what="the past")
        assert {change.outcome for change in changes} == {"applied"}
        await produce(broker.bootstrap, topic, [record(fresh(subject="late")), Message(None, key=b"account:acct-5")])
        await until(lambda: cache.get("account", "late", now_ms()) is not None, what="the late one")
        await until(lambda: cache.get("account", "acct-5", now_ms()) is None, what="the release")
        await until(lambda: tail.status.connected and tail.status.lag == 0, what="no lag")


async def test_an_empty_topic_counts_as_read(broker: Broker) -> None:
    topic = unique("enforcement")
    await create_topics(broker.bootstrap, [topic])
    async with following(broker.bootstrap, topic, DirectiveCache(trust)) as (tail, _):
        await until(lambda: tail.status.loaded, what="an empty topic read")


async def test_foreign_records_are_counted_and_do_not_stop_it(broker: Broker) -> None:
    topic = unique("enforcement")
    await create_topics(broker.bootstrap, [topic])
    await produce(broker.bootstrap, topic, [Message(b"\x00rubbish", key=None), record(fresh(subject="good"))])
    cache = DirectiveCache(trust)
    async with following(broker.bootstrap, topic, cache) as (_, changes):
        await until(lambda: len(cache) == 1, what="the good one")
        assert cache.counts["malformed"] == 1
        assert next(change.outcome for change in changes) == "malformed"


async def test_without_a_broker_what_is_held_stays_until_it_expires() -> None:
    """Kafka goes away: decisions go on from memory; it comes back: the tail does too."""
    cache = DirectiveCache(trust)
    topic = "llm.enforcement.v1"
    with EmbeddedBroker() as first:
        port = first.port
        await create_topics(first.bootstrap, [topic])
        await produce(first.bootstrap, topic, [record(fresh(subject="held"))])
        async with following(first.bootstrap, topic, cache) as (tail, _):
            await until(lambda: len(cache) == 1, what="the directive")
            first.stop()
            await until(lambda: not tail.status.connected, seconds=20, what="the outage noticed")
            assert cache.get("account", "held", now_ms()) is not None
            assert cache.get("account", "held", now_ms() + 600_000) is None
            with EmbeddedBroker(port) as second:
                await create_topics(second.bootstrap, [topic])
                await produce(second.bootstrap, topic, [record(fresh(subject="new", revision=2))])
                await until(lambda: cache.get("account", "new", now_ms()) is not None, seconds=40, what="the return")


async def test_it_starts_before_the_broker_does() -> None:
    cache = DirectiveCache(trust)
    with EmbeddedBroker() as probe:
        port = probe.port
    async with following(f"127.0.0.1:{port}", "llm.enforcement.v1", cache) as (tail, _):
        await until(lambda: "Error" in tail.status.error, what="the failure noticed")
        assert not tail.status.loaded
        with EmbeddedBroker(port) as late:
            await create_topics(late.bootstrap, ["llm.enforcement.v1"])
            await produce(late.bootstrap, "llm.enforcement.v1", [record(fresh(subject="x"))])
            await until(lambda: len(cache) == 1, seconds=30, what="the directive")


async def test_pauses_grow_as_long_as_no_broker_has_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def noted(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 8:
            raise asyncio.CancelledError

    def nobody() -> dict[str, object]:
        raise ConnectionRefusedError

    monkeypatch.setattr(asyncio, "sleep", noted)
    tail = DirectiveTail(DirectiveCache(trust), topic="llm.enforcement.v1", client_options=nobody, now_ms=now_ms)
    with pytest.raises(asyncio.CancelledError):
        await tail.run()
    assert pauses == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0]
