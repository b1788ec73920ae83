"""A topic is read from its beginning to the end it had when reading began."""

from __future__ import annotations

import asyncio

import pytest
from stillwatch_schemas.errors import ConfigError, SourceError
from stillwatch_streams.sources.kafka import KafkaSource, parse_address
from stillwatch_streams.sources.times import TimeRange
from support.brokers import Broker
from support.builders import T0
from support.kafka_io import Message, create_topics, produce, unique

MINUTE = 60_000


async def filled(broker: Broker, count: int, partitions: int) -> str:
    """A topic of `count` records, one a minute from T0 on, dealt to the partitions in turn."""
    topic = unique("range")
    await create_topics(broker.bootstrap, [topic], partitions=partitions)
    messages = [
        Message(value=str(n).encode(), timestamp_ms=T0 + n * MINUTE, partition=n % partitions) for n in range(count)
    ]
    await produce(broker.bootstrap, topic, messages)
    return topic


def read(source: KafkaSource) -> dict[int, list[int]]:
    """Values by partition."""
    found: dict[int, list[int]] = {}
    for chunk in source.chunks():
        assert chunk.partition is not None
        found.setdefault(chunk.partition, []).extend(int(record.value or b"") for record in chunk.records)
    return found


def source_of(broker: Broker, topic: str, between: TimeRange, margin_ms: int = 0) -> KafkaSource:
    return KafkaSource(f"kafka://{broker.bootstrap}/{topic}", between, margin_ms=margin_ms)


@pytest.mark.kafka
async def test_every_record_once_partition_by_partition(broker: Broker) -> None:
    topic = await filled(broker, 500, 2)
    source = source_of(broker, topic, TimeRange())
    assert await in_thread(source) == {0: list(range(0, 500, 2)), 1: list(range(1, 500, 2))}
    assert source.partitions == 2


@pytest.mark.kafka
async def test_an_empty_topic_ends_at_once(broker: Broker) -> None:
    topic = await filled(broker, 0, 3)
    assert await in_thread(source_of(broker, topic, TimeRange())) == {}


@pytest.mark.kafka
async def test_a_time_range_is_found_by_the_brokers_index(broker: Broker) -> None:
    topic = await filled(broker, 100, 1)
    between = TimeRange(T0 + 40 * MINUTE, T0 + 60 * MINUTE)
    numbers = (await in_thread(source_of(broker, topic, between)))[0]
    assert set(range(40, 60)) <= set(numbers)
    if broker.kind == "apache-kafka":
        assert numbers[0] == 40


@pytest.mark.kafka
async def test_a_missing_topic_is_a_source_error(broker: Broker) -> None:
    with pytest.raises(SourceError, match="no topic"):
        await in_thread(source_of(broker, unique("nowhere"), TimeRange()))


async def test_an_unreachable_broker_is_a_source_error() -> None:
    with pytest.raises(SourceError, match="cannot be reached"):
        await in_thread(KafkaSource("kafka://127.0.0.1:9/topic", TimeRange()))


@pytest.mark.parametrize("spec", ["kafka://", "kafka://host:9092", "kafka:///topic", "kafka://host:1/a/b"])
def test_an_incomplete_address_is_refused(spec: str) -> None:
    with pytest.raises(ConfigError, match="kafka://host:port/topic"):
        parse_address(spec)


async def in_thread(source: KafkaSource) -> dict[int, list[int]]:
    """The source runs an event loop of its own, as it does under the command line."""
    return await asyncio.to_thread(read, source)
