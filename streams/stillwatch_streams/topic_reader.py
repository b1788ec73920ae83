"""Reads one partition from an offset to its end, or a whole topic, outside any consumer group."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from stillwatch_streams.publisher import Publisher

FETCH_BYTES = 8 << 20
_POLL_MS = 500
_QUIET_MS = 100


@asynccontextmanager
async def partition_reader(options: dict[str, Any], topic: str, partition: int, offset: int) -> AsyncIterator[Any]:
    """A consumer that stands at `offset` of one partition (at the earliest record, should that be later)."""
    consumer = AIOKafkaConsumer(
        **options,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH_BYTES,
        fetch_max_wait_ms=50,
    )
    await consumer.start()
    try:
        place = TopicPartition(topic, partition)
        consumer.assign([place])
        consumer.seek(place, offset)
        yield consumer
    finally:
        await _stop(consumer)


async def _stop(consumer: Any) -> None:
    """Stop; aiokafka cancels itself where it is stopped while it still connects, which must not cancel us."""
    try:
        await consumer.stop()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        await consumer._client.close()  # noqa: SLF001 - what `stop` had left to do


async def read_until(consumer: Any, topic: str, partition: int, end: int) -> AsyncIterator[list[Any]]:
    """Fetches up to, not including, offset `end`, which must exist or have existed."""
    place = TopicPartition(topic, partition)
    while await consumer.position(place) < end:
        for records in (await consumer.getmany(place, timeout_ms=_POLL_MS)).values():
            yield [record for record in records if record.offset < end]


async def read_to_end(consumer: Any, topic: str, partition: int) -> AsyncIterator[list[Any]]:
    """Fetches up to the end.

    The end is where the broker says it is *and* where nothing more comes for a moment: the embedded broker's answer may
    lie inside the last batch.
    """
    place = TopicPartition(topic, partition)
    end = (await consumer.end_offsets([place]))[place]
    while True:
        fetched = (await consumer.getmany(place, timeout_ms=_QUIET_MS)).get(place)
        if fetched:
            yield fetched
        elif await consumer.position(place) >= end:
            return


async def read_topic(options: dict[str, Any], topic: str) -> AsyncIterator[Any]:
    """Every record of a topic, a partition at a time."""
    async with Publisher(options) as publisher:
        count = await publisher.partitions(topic)
    for partition in range(count):
        async with partition_reader(options, topic, partition, 0) as reader:
            async for records in read_to_end(reader, topic, partition):
                for record in records:
                    yield record
