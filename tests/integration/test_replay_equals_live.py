"""What makes replay worth believing: the live worker on a real topic raises the very alerts that replay raises."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import zstandard
from stillwatch_models.config import EngineConfig
from stillwatch_models.engine import AccountEngine
from stillwatch_schemas.alerts import decode_finding
from stillwatch_schemas.codec import encode_request
from stillwatch_schemas.events import HEARTBEAT_HEADER, RequestEvent
from stillwatch_streams.ingest import ingest_for
from stillwatch_streams.replay.run import Job, replay
from stillwatch_streams.settings import Settings
from stillwatch_streams.simulator import generate, load_scenario
from stillwatch_streams.sources import TimeRange, open_source
from support.brokers import Broker
from support.builders import T0
from support.kafka_io import Message, produce
from support.live import PATIENCE_SECONDS, Live
from support.traffic import coordinated, small_config, traffic

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

HOUR_MS = 3_600_000
TALKATIVE = EngineConfig(budget_per_10k_account_days=5_000.0, min_reference_accounts=10, hard_ceiling_per_minute=6)
"""A budget so large that a small stream raises many alerts."""
SLICE_EVENTS = 25_000
SLICE = Path(__file__).parents[3] / "shared/streams/dev/events.jsonl.zst"


def engine_env(config: EngineConfig) -> dict[str, str]:
    """The engine's settings as environment variables, where they are not the defaults."""
    names = [name for name in config.__struct_fields__ if getattr(config, name) != getattr(EngineConfig(), name)]
    return {f"STILLWATCH_ENGINE__{name.upper()}": str(getattr(config, name)) for name in names}


def records_of(events: list[RequestEvent], partitions: int) -> list[Message]:
    """The events, and then word to every partition that an hour has passed, so that every pane ends."""
    end_ms = max(event.ts for event in events) + HOUR_MS
    beat = ((HEARTBEAT_HEADER, str(end_ms).encode()),)
    return [
        *(Message(value=encode_request(one), key=one.account_id.encode(), timestamp_ms=one.ts) for one in events),
        *(Message(value=b"", partition=at, timestamp_ms=end_ms, headers=beat) for at in range(partitions)),
    ]


def replayed(spec: str, out: Path, settings: Settings) -> set[bytes]:
    """Every alert message of a replay."""
    job = Job(
        sources=[open_source(spec, TimeRange())],
        ingest=ingest_for(settings.source, has_broker_time=spec.startswith("kafka://")),
        config=settings.engine,
        partitions=settings.source.partitions,
        out=out,
    )
    replay(job)
    lines = (out / "alerts.jsonl").read_bytes().splitlines()
    assert len(set(lines)) == len(lines)
    return set(lines)


async def lived(live: Live, wanted: int) -> set[bytes]:
    """Every alert message of a live worker, once its account checkpoints cover the topic and the alerts are there."""
    clean = await live.clean_run(lambda partition: AccountEngine(live.settings.engine, partition))
    with live.worker("stillwatch_agents", "worker", program="-m") as worker:
        await worker.ready()
        await live.caught_up(clean)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            found = {record.value or b"" for record in await live.read(live.names.alerts)}
            if len(found) >= wanted or time.monotonic() > deadline:
                break
            await asyncio.sleep(0.3)
        assert worker.stop() == 0, live.log_tail()
    return {record.value or b"" for record in await live.read(live.names.alerts)}


async def compare(broker: Broker, folder: Path, events: list[RequestEvent], env: dict[str, str]) -> set[bytes]:
    """The alerts of file, topic and live worker, which must be the same."""
    live = await Live(broker, folder, **env).create_topics()
    await produce(broker.bootstrap, live.names.requests, records_of(events, live.settings.source.partitions))
    file = folder / "events.jsonl"
    file.write_bytes(b"\n".join(encode_request(event) for event in events))
    spec = f"kafka://{broker.bootstrap}/{live.names.requests}"
    of_file = await asyncio.to_thread(replayed, str(file), folder / "file", live.settings)
    of_topic = await asyncio.to_thread(replayed, spec, folder / "topic", live.settings)
    of_worker = await lived(live, len(of_topic))
    assert of_topic == of_worker
    assert of_file == of_worker
    return of_worker


async def test_late_repeated_and_bursty_traffic(broker: Broker, tmp_path: Path) -> None:
    events = [item for item in traffic(1, events=2_500, accounts=60) if isinstance(item, RequestEvent)]
    alerts = await compare(broker, tmp_path, events, engine_env(small_config(hard_ceiling_per_minute=60)))
    assert kinds(alerts)["hard_ceiling"] > 10


async def test_a_simulated_day_with_campaigns(broker: Broker, tmp_path: Path) -> None:
    events = [one.event for one in generate(load_scenario("tiny"), 1, T0)]
    alerts = await compare(broker, tmp_path, events, engine_env(TALKATIVE))
    assert min(kinds(alerts)["distillation"], kinds(alerts)["hard_ceiling"]) > 0


async def test_a_campaign_whose_accounts_lie_in_different_partitions(broker: Broker, tmp_path: Path) -> None:
    config = small_config(
        evidence_block_seconds=30.0, reference_seconds=60.0, min_reference_accounts=20, campaign_patience_epochs=1_000
    )
    alerts = await compare(broker, tmp_path, coordinated(), engine_env(config))
    found = sorted(map(decode_finding, alerts), key=lambda one: one.time_ms)  # what is said last of a campaign counts
    campaigns = {one.subject: one.members_total for one in found if one.kind == "campaign"}
    assert list(campaigns.values()) == [6]
    assert {one.subject for one in found if one.kind == "campaign_member"} == {f"gang-{who}" for who in range(6)}


@pytest.mark.skipif(not SLICE.exists(), reason="the evaluation streams are not here")
async def test_a_slice_of_realistic_traffic(broker: Broker, tmp_path: Path) -> None:
    events = list(_first(SLICE_EVENTS))
    alerts = await compare(broker, tmp_path, events, engine_env(TALKATIVE))
    assert min(kinds(alerts)["distillation"], kinds(alerts)["hard_ceiling"]) > 0


def kinds(alerts: set[bytes]) -> Counter[str]:
    """How many alerts of each kind."""
    return Counter(decode_finding(alert).kind for alert in alerts)


def _first(count: int) -> Iterator[RequestEvent]:
    decoder = msgspec.json.Decoder(RequestEvent)
    reader = zstandard.ZstdDecompressor(max_window_size=1 << 27)
    with SLICE.open("rb") as packed, reader.stream_reader(packed) as raw:
        rest = b""
        while block := raw.read(1 << 20):
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                yield decoder.decode(line)
                count -= 1
                if count == 0:
                    return
