"""What is written can be read: order, offsets, headers, times; what a broker refuses is an error."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.errors import MessageSizeTooLargeError
from stillwatch_streams.partitioning import partition_of
from stillwatch_streams.publisher import BATCH_BYTES, Message, Publisher
from support.brokers import Broker
from support.builders import T0
from support.kafka_io import Received, create_topics, read_all, unique

pytestmark = pytest.mark.kafka

OPTIONS = {"security_protocol": "PLAINTEXT", "request_timeout_ms": 40_000}


def publisher(broker: Broker) -> Publisher:
    return Publisher({"bootstrap_servers": [broker.bootstrap], **OPTIONS})


async def received(broker: Broker, topic: str) -> dict[tuple[int, int], Received]:
    return {(one.partition, one.offset): one for one in await read_all(broker.bootstrap, topic)}


async def test_messages_of_several_places_come_back_with_the_offsets_they_were_told(broker: Broker) -> None:
    one, other = unique("one"), unique("other")
    await create_topics(broker.bootstrap, [one, other], partitions=2)
    messages = [
        Message(topic=(one, other)[n % 3 == 0], partition=n % 2, key=b"k%d" % n, value=b"v%d" % n, timestamp_ms=T0 + n)
        for n in range(40)
    ]
    async with publisher(broker) as writer:
        offsets = await writer.send(messages)
    for topic in (one, other):
        found = await received(broker, topic)
        told = {(m.partition, o): (m.key, m.value, m.timestamp_ms) for m, o in zip(messages, offsets, strict=True)
                if m.topic == topic}  # fmt: skip
        assert {place: (got.key, got.value, got.timestamp_ms) for place, got in found.items()} == told


async def test_order_within_a_partition_outlives_the_limit_of_a_batch(broker: Broker) -> None:
    topic = unique("large")
    await create_topics(broker.bootstrap, [topic])
    messages = [Message(topic=topic, partition=0, value=b"%03d" % n + b"x" * (BATCH_BYTES // 7)) for n in range(30)]
    async with publisher(broker) as writer:
        assert await writer.send(messages) == list(range(30))
        assert await writer.send([]) == []
    found = await received(broker, topic)
    assert [found[0, n].value for n in range(30)] == [message.value for message in messages]


async def test_headers_tombstones_and_the_present_time(broker: Broker) -> None:
    topic = unique("headers")
    await create_topics(broker.bootstrap, [topic], partitions=3)
    async with publisher(broker) as writer:
        await writer.send([Message(topic=topic, key=b"gone", value=None, headers=(("a", b"1"), ("b", b"")))])
    (found,) = (await received(broker, topic)).values()
    assert (found.partition, found.key, found.value) == (partition_of(b"gone", 3), b"gone", None)
    assert found.headers == (("a", b"1"), ("b", b""))
    assert found.timestamp_ms > T0


async def test_senders_at_the_same_time_keep_their_own_order(broker: Broker) -> None:
    topic = unique("together")
    await create_topics(broker.bootstrap, [topic])
    async with publisher(broker) as writer:
        sends = [
            [Message(topic=topic, partition=0, key=b"%d" % s, value=b"%d" % n) for n in range(50)] for s in range(5)
        ]
        offsets = await asyncio.gather(*(writer.send(messages) for messages in sends))
    found = await received(broker, topic)
    assert sorted(offset for own in offsets for offset in own) == list(range(250))
    for sender, own in enumerate(offsets):
        assert [(found[0, offset].key, found[0, offset].value) for offset in sorted(own)] == [
            (b"%d" % sender, b"%d" % n) for n in range(50)
        ]


async def test_what_the_broker_refuses_is_an_error_and_others_can_still_be_written(broker: Broker) -> None:
    if broker.kind == "embedded":
        pytest.skip("the embedded broker has no limit")
    topic = unique("refused")
    await create_topics(broker.bootstrap, [topic], config={"max.message.bytes": "1000"})
    async with publisher(broker) as writer:
        with pytest.raises(MessageSizeTooLargeError):
            await writer.send([Message(topic=topic, partition=0, value=b"x" * 2_000)])
        assert await writer.send([Message(topic=topic, partition=0, value=b"small")]) == [0]
