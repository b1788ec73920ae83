"""The brokers we test on behave as our notes say; where the two differ, the difference is written down here."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata
from stillwatch_schemas.errors import BrokerError
from stillwatch_streams.embedded import EmbeddedBroker
from stillwatch_streams.record_batches import hand_over_whole_batches
from support.brokers import Broker, Choice, choose
from support.builders import T0
from support.kafka_io import Message, committed_offsets, create_topics, produce, read_all, unique
from support.kafka_node import KafkaNode

pytestmark = pytest.mark.kafka


async def test_records_keep_timestamp_headers_null_key_and_null_value(broker: Broker) -> None:
    topic = unique("records")
    await create_topics(broker.bootstrap, [topic])
    sent = [
        Message(b"v", key=b"k", timestamp_ms=T0, headers=(("h", b"x"), ("empty", b""))),
        Message(None, key=b"k", timestamp_ms=T0 + 1),
        Message(b"v2", timestamp_ms=T0 - 86_400_000),
    ]
    await produce(broker.bootstrap, topic, sent)
    got = await read_all(broker.bootstrap, topic)
    assert [Message(r.value, r.key, r.timestamp_ms, r.headers) for r in got] == sent
    assert [r.offset for r in got] == [0, 1, 2]


async def test_reading_to_the_end_finds_every_record_of_the_last_batch(broker: Broker) -> None:
    topic = unique("batches")
    await create_topics(broker.bootstrap, [topic], partitions=2)
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap)
    await producer.start()
    try:
        for partition in (0, 1):
            batch = producer.create_batch()
            for number in range(50):
                batch.append(key=b"%d" % number, value=b"x", timestamp=T0 + number)
            await (await producer.send_batch(batch, topic, partition=partition))
    finally:
        await producer.stop()
    got = await read_all(broker.bootstrap, topic)
    assert sorted((r.partition, r.offset) for r in got) == [(p, o) for p in (0, 1) for o in range(50)]


async def test_commits_are_kept_for_the_group_and_unknown_where_nothing_was_committed(broker: Broker) -> None:
    topic, group = unique("commits"), unique("group")
    await create_topics(broker.bootstrap, [topic], partitions=2)
    await produce(broker.bootstrap, topic, [Message(b"%d" % n, partition=0) for n in range(5)])
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        part = TopicPartition(topic, 0)
        consumer.assign([part])
        await consumer.commit({part: OffsetAndMetadata(3, "")})
    finally:
        await consumer.stop()
    assert await committed_offsets(broker.bootstrap, group, topic) == {0: 3, 1: None}


async def test_kafka_keeps_topics_records_and_commits_over_restart_and_power_cut(durable_broker: KafkaNode) -> None:
    topic = unique("durable")
    await create_topics(durable_broker.bootstrap, [topic])
    await produce(durable_broker.bootstrap, topic, [Message(b"before")])
    await asyncio.to_thread(durable_broker.restart)
    await produce(durable_broker.bootstrap, topic, [Message(b"between")])
    durable_broker.kill()
    await asyncio.to_thread(durable_broker.start)
    await produce(durable_broker.bootstrap, topic, [Message(b"after")])
    assert [r.value for r in await read_all(durable_broker.bootstrap, topic)] == [b"before", b"between", b"after"]


async def test_kafka_starts_with_a_cluster_id_that_looks_like_an_option(broker_choice: Choice, tmp_path: Path) -> None:
    if not broker_choice.kafka:
        pytest.skip(f"a cluster id is Apache Kafka's ({broker_choice.why})")
    cluster = uuid.UUID(bytes=b"\xf8" + bytes(15))
    assert base64.urlsafe_b64encode(cluster.bytes).startswith(b"-")
    with KafkaNode(tmp_path / "kafka", cluster=cluster) as node:
        await create_topics(node.bootstrap, ["t"])
        assert len(await produce(node.bootstrap, "t", [Message(b"x")])) == 1


async def test_kafka_compacts_to_the_last_value_of_each_key(durable_broker: KafkaNode) -> None:
    topic = unique("compacted")
    config = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01", "segment.ms": "100"}
    await create_topics(durable_broker.bootstrap, [topic], config=config)
    await produce(durable_broker.bootstrap, topic, [Message(b"%d" % n, key=b"k%d" % (n % 3)) for n in range(300)])
    await asyncio.sleep(0.2)  # lets the segment's 100 ms pass; the next record then starts a new one
    await produce(durable_broker.bootstrap, topic, [Message(b"last", key=b"other")])
    async with asyncio.timeout(30):
        while len(left := await read_all(durable_broker.bootstrap, topic)) > 4:
            await asyncio.sleep(0.2)
    assert {(r.key, r.value) for r in left} == {(b"k0", b"297"), (b"k1", b"298"), (b"k2", b"299"), (b"other", b"last")}


async def test_kafka_refuses_to_read_a_topic_that_nobody_created(durable_broker: KafkaNode) -> None:
    with pytest.raises(AssertionError, match="does not exist"):
        await read_all(durable_broker.bootstrap, "nobody.made.me")


async def test_embedded_broker_works_inside_an_event_loop_and_forgets_all() -> None:
    async with EmbeddedBroker() as broker:
        await create_topics(broker.bootstrap, ["t"])
        assert len(await produce(broker.bootstrap, "t", [Message(b"x")])) == 1
        pid, log = broker.pid, broker.log
    assert not psutil.pid_exists(pid)
    assert not log.exists()
    with pytest.raises(BrokerError, match="isn't running"):
        _ = broker.bootstrap


async def test_embedded_broker_reports_an_end_inside_the_last_batch(embedded_broker: EmbeddedBroker) -> None:
    """Why recovery trusts no end offsets; when this fails, Tansu was mended and docs/brokers.md is out of date."""
    topic = unique("end")
    await create_topics(embedded_broker.bootstrap, [topic])
    producer = AIOKafkaProducer(bootstrap_servers=embedded_broker.bootstrap)
    await producer.start()
    try:
        batch = producer.create_batch()
        for _ in range(5):
            batch.append(key=None, value=b"x", timestamp=T0)
        await (await producer.send_batch(batch, topic, partition=0))
    finally:
        await producer.stop()
    consumer = AIOKafkaConsumer(bootstrap_servers=embedded_broker.bootstrap)
    await consumer.start()
    try:
        part = TopicPartition(topic, 0)
        assert await consumer.end_offsets([part]) == {part: 1}
    finally:
        await consumer.stop()
    assert len(await read_all(embedded_broker.bootstrap, topic)) == 5


def test_a_port_in_use_is_refused_by_name(embedded_broker: EmbeddedBroker) -> None:
    with pytest.raises(BrokerError, match=f"127.0.0.1:{embedded_broker.port} .*in use"):
        EmbeddedBroker(embedded_broker.port).start()


def test_a_broker_that_cannot_start_says_so_with_its_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "tansu"
    broken.write_text("#!/bin/sh\necho out of luck\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CALF_TANSU_BIN", str(broken))
    with pytest.raises(BrokerError, match=r"exit code 3 while starting.*out of luck"):
        EmbeddedBroker(log=tmp_path / "log").start()


def test_the_broker_dies_with_the_process_that_started_it() -> None:
    program = (
        "import time\n"
        "from stillwatch_streams.embedded import EmbeddedBroker\n"
        "print(EmbeddedBroker().start().pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        broker = psutil.Process(int(parent.stdout.readline()))
        assert broker.is_running()
        parent.kill()
    psutil.wait_procs([broker], timeout=10)
    assert not broker.is_running() or broker.status() == psutil.STATUS_ZOMBIE


def test_the_broker_command_says_memory_only_and_stops_on_ctrl_c() -> None:
    command = [sys.executable, "-m", "stillwatch_agents", "broker", "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}
    ) as run:
        assert run.stdout is not None
        said = [run.stdout.readline(), run.stdout.readline()]
        run.send_signal(signal.SIGINT)
        assert run.wait(10) == 0
    assert "listens on 127.0.0.1:" in said[0]
    assert "Memory only" in said[1]


@pytest.mark.parametrize("switch", ["redpanda", "Kafka"])
def test_an_unknown_broker_choice_is_refused(switch: str) -> None:
    with pytest.raises(pytest.UsageError, match="write embedded or kafka"):
        choose(switch)


def test_without_java_the_choice_is_the_embedded_broker_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    choice = choose("")
    assert (choice.kafka, choice.why) == (False, "Apache Kafka can't be had: no java on PATH")
    with pytest.raises(pytest.UsageError, match="no java on PATH"):
        choose("kafka")


async def test_whole_batches_are_the_records_that_a_plain_consumer_gets(broker: Broker) -> None:
    topic = unique("whole")
    place = TopicPartition(topic, 0)
    await create_topics(broker.bootstrap, [topic])
    sent = [Message(b"v%d" % n, key=b"k", timestamp_ms=T0 + n, headers=(("h", b"%d" % n),)) for n in range(300)]
    await produce(broker.bootstrap, topic, sent)
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        hand_over_whole_batches(consumer)
        consumer.assign([place])
        consumer.seek(place, 7)
        got = []
        async with asyncio.timeout(30):
            while len(got) < 293:
                got += (await consumer.getmany(place, timeout_ms=500)).get(place, [])
        assert await consumer.position(place) == 300
    finally:
        await consumer.stop()
    assert [record.offset for record in got] == list(range(7, 300))
    assert [Message(r.value, r.key, r.timestamp, tuple(r.headers)) for r in got] == sent[7:]
    assert type(got[0]).__name__ == "DefaultRecord"
