"""What broker tests do with topics: create, write with chosen timestamps, read to the end, see commits."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

_POLL_MS = 200
_IN_FLIGHT = 1000


class Message(msgspec.Struct, frozen=True):
    """One record to write; None for the timestamp means now, None for the partition lets the key decide."""

    value: bytes | None
    key: bytes | None = None
    timestamp_ms: int | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int | None = None


class Received(msgspec.Struct, frozen=True):
    """One record as read."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


def unique(name: str) -> str:
    """Make a topic or group name that no other test uses."""
    return f"{name}.{uuid.uuid4().hex[:10]}"


async def create_topics(
    bootstrap: str, names: Iterable[str], *, partitions: int = 1, config: Mapping[str, str] | None = None
) -> None:
    """Create topics and return when their partitions have leaders; raises if the broker refuses one."""
    wanted = list(names)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        new = [NewTopic(name, partitions, 1, topic_configs=dict(config or {})) for name in wanted]
        answer = await admin.create_topics(new)
        refused = [error for error in answer.topic_errors if error[1] != 0]
        assert not refused, f"the broker refused to create {refused}"
        async with asyncio.timeout(20):
            while not _led(await admin.describe_topics(wanted), partitions):
                await asyncio.sleep(0.05)
    finally:
        await admin.close()


def _led(topics: Sequence[dict[str, Any]], partitions: int) -> bool:
    return all(
        topic["error_code"] == 0
        and len(topic["partitions"]) == partitions
        and all(part["error_code"] == 0 and part["leader"] >= 0 for part in topic["partitions"])
        for topic in topics
    )


async def produce(bootstrap: str, topic: str, messages: Iterable[Message]) -> list[tuple[int, int]]:
    """Write all messages in order, await every acknowledgement, and return (partition, offset) of each."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=2)
    await producer.start()
    places: list[tuple[int, int]] = []
    try:
        pending: list[asyncio.Future[Any]] = []
        for message in messages:
            pending.append(
                await producer.send(
                    topic,
                    message.value,
                    key=message.key,
                    partition=message.partition,
                    timestamp_ms=message.timestamp_ms,
                    headers=list(message.headers),
                )
            )
            if len(pending) == _IN_FLIGHT:
                places += _places(await asyncio.gather(*pending))
                pending.clear()
        places += _places(await asyncio.gather(*pending))
    finally:
        await producer.stop()
    return places


def _places(acknowledged: Iterable[Any]) -> list[tuple[int, int]]:
    return [(record.partition, record.offset) for record in acknowledged]


async def read_all(bootstrap: str, topic: str, *, isolation: str = "read_uncommitted") -> list[Received]:
    """Read every partition of a topic from the beginning to the end; per partition in offset order.

    The end is the broker's end offset and then one empty fetch, because the embedded broker reports an end offset
    that may lie inside the last batch.
    """
    parts = await partitions_of(bootstrap, topic)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest", isolation_level=isolation
    )
    await consumer.start()
    try:
        consumer.assign(parts)
        await consumer.seek_to_beginning(*parts)
        return await _drain(consumer, parts)
    finally:
        await consumer.stop()


async def partitions_of(bootstrap: str, topic: str) -> list[TopicPartition]:
    """Return the topic's partitions; asserts that it exists (and doesn't create it by asking)."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        assert topic in await admin.list_topics(), f"topic {topic} does not exist"
        described = await admin.describe_topics([topic])
    finally:
        await admin.close()
    return [
        TopicPartition(topic, number) for number in sorted(part["partition"] for part in described[0]["partitions"])
    ]


async def _drain(consumer: AIOKafkaConsumer, parts: list[TopicPartition]) -> list[Received]:
    ends = await consumer.end_offsets(parts)
    records: list[Received] = []
    while True:
        fetched = await consumer.getmany(timeout_ms=_POLL_MS)
        for batch in fetched.values():
            records += [
                Received(r.partition, r.offset, r.timestamp, r.key, r.value, tuple((k, bytes(v)) for k, v in r.headers))
                for r in batch
            ]
        reached = [await consumer.position(part) >= ends[part] for part in parts]
        if not fetched and all(reached):
            return records


async def committed_offsets(bootstrap: str, group: str, topic: str) -> dict[int, int | None]:
    """Return the committed offset of each partition of `topic` for a consumer group; None where nothing is committed.

    Doesn't join the group, so it disturbs no worker.
    """
    parts = await partitions_of(bootstrap, topic)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign(parts)
        return {part.partition: await consumer.committed(part) for part in parts}
    finally:
        await consumer.stop()
