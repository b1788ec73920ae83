"""Replay and Kafka: a topic gives what the file gives, and `--publish-to` writes what the files hold."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import msgspec
import pytest
from stillwatch_models.config import EngineConfig
from stillwatch_schemas.alerts import decode_finding
from stillwatch_schemas.codec import decode_directive
from stillwatch_schemas.errors import BrokerError
from stillwatch_schemas.events import RequestEvent
from stillwatch_schemas.signing import generate_key, save_private_key, verify
from stillwatch_streams.ingest import Ingest
from stillwatch_streams.partitioning import partition_of
from stillwatch_streams.replay.publish import TopicSink
from stillwatch_streams.replay.run import Job, Summary, replay
from stillwatch_streams.settings import BrokerSettings, EnforcementSettings, ServiceSettings, Settings
from stillwatch_streams.sources import TimeRange, open_source
from support.brokers import Broker
from support.builders import T0, make_event
from support.kafka_io import Message, create_topics, produce, read_all, unique

PARTITIONS = 3
CONFIG = EngineConfig(hard_ceiling_per_minute=30)
ALERTS, ENFORCEMENT = "llm.alerts.v1", "llm.enforcement.v1"


def traffic() -> list[RequestEvent]:
    """Calm accounts over an hour, and two that pass the hard ceiling, half an hour apart."""
    calm = [(T0 + n * 9_000, f"calm-{n % 10}") for n in range(400)]
    bursts = [(T0 + start + n * 1_000, name) for name, start in (("b1", 60_000), ("b2", 1_860_000)) for n in range(40)]
    return [
        make_event(event_id=f"e{n}", ts=ts, account_id=account) for n, (ts, account) in enumerate(sorted(calm + bursts))
    ]


def replayed(spec: str, out: Path, publisher: TopicSink | None = None, jobs: int = 1) -> Summary:
    source = open_source(spec, TimeRange())
    job = Job(sources=[source], ingest=Ingest(), config=CONFIG, partitions=PARTITIONS, out=out, jobs=jobs)
    return replay(job, publisher=publisher)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"\n".join(msgspec.json.encode(event) for event in traffic()))
    return file


def alert_lines(out: Path) -> list[bytes]:
    return (out / "alerts.jsonl").read_bytes().splitlines()


@pytest.mark.kafka
@pytest.mark.parametrize("jobs", [1, 2])
async def test_a_topic_gives_the_alerts_and_accounts_that_the_file_gives(
    broker: Broker, path: Path, tmp_path: Path, jobs: int
) -> None:
    topic = unique("requests")
    await create_topics(broker.bootstrap, [topic], partitions=PARTITIONS)
    records = [
        Message(value=msgspec.json.encode(event), key=event.account_id.encode(), timestamp_ms=event.ts)
        for event in traffic()
    ]
    await produce(broker.bootstrap, topic, [*records, Message(value=b"{}", key=b"x", timestamp_ms=T0)])
    replayed(str(path), tmp_path / "file")
    summary = await asyncio.to_thread(replayed, f"kafka://{broker.bootstrap}/{topic}", tmp_path / "topic", None, jobs)
    assert summary.partitions == PARTITIONS
    assert sorted(alert_lines(tmp_path / "topic")) == sorted(alert_lines(tmp_path / "file"))
    assert len(alert_lines(tmp_path / "file")) >= 2
    assert (tmp_path / "topic/accounts.csv").read_bytes() == (tmp_path / "file/accounts.csv").read_bytes()
    (dead,) = [json.loads(line) for line in (tmp_path / "topic/dlq.jsonl").read_bytes().splitlines()]
    assert dead["code"] == "missing_field"
    assert {"partition", "offset"} <= dead.keys()


@pytest.mark.kafka
async def test_publish_to_writes_what_the_files_hold(broker: Broker, path: Path, tmp_path: Path) -> None:
    prefix, key = unique("published") + ".", generate_key()
    save_private_key(key, tmp_path / "key.pem")
    await create_topics(broker.bootstrap, [prefix + ALERTS, prefix + ENFORCEMENT], partitions=PARTITIONS)
    settings = Settings(
        broker=BrokerSettings(bootstrap="127.0.0.1:9"),
        service=ServiceSettings(topic_prefix=prefix),
        enforcement=EnforcementSettings(signing_key_path=str(tmp_path / "key.pem")),
    )
    await asyncio.to_thread(_publish, settings, broker.bootstrap, path, tmp_path / "out")
    alerts = await read_all(broker.bootstrap, prefix + ALERTS)
    assert sorted(record.value or b"" for record in alerts) == sorted(alert_lines(tmp_path / "out"))
    for record in alerts:
        finding = decode_finding(record.value)
        assert record.key == finding.uid.encode()
        assert record.partition == partition_of(finding.subject.encode(), PARTITIONS)
    orders = await read_all(broker.bootstrap, prefix + ENFORCEMENT)
    written = (tmp_path / "out/directives.jsonl").read_bytes().splitlines()
    assert len(orders) == len(written) > 0
    for record in orders:
        if record.value is not None:
            verify(decode_directive(record.value), key.public_key())


def _publish(settings: Settings, bootstrap: str, path: Path, out: Path) -> None:
    with TopicSink(settings, bootstrap) as sink:
        replayed(str(path), out, sink)


def test_a_broker_that_is_not_there_stops_before_reading() -> None:
    with pytest.raises(BrokerError, match=r"127\.0\.0\.1:9"), TopicSink(Settings(), "127.0.0.1:9"):
        pytest.fail("nobody listens there")
