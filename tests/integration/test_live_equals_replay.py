"""The live worker and replay raise the same alerts from the same stream: one code path, shown end to end."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from stillwatch_schemas.codec import encode_request
from stillwatch_schemas.events import HEARTBEAT_HEADER
from stillwatch_streams.simulator import generate, load_scenario
from support.brokers import Broker
from support.kafka_io import Message, produce
from support.live import PATIENCE_SECONDS, Live, alert_uids

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

ENGINE_WORKER = str(Path(__file__).parent.parent / "support" / "engine_worker.py")
PANE_SECONDS, LATENESS_SECONDS = 60, 60
ENGINE = {
    "STILLWATCH_ENGINE__PANE_SECONDS": str(PANE_SECONDS),
    "STILLWATCH_ENGINE__LATENESS_SECONDS": str(LATENESS_SECONDS),
    "STILLWATCH_ENGINE__HARD_CEILING_PER_MINUTE": "3",  # so low that ordinary traffic raises alerts
    "STILLWATCH_ENGINE__BUDGET_PER_10K_ACCOUNT_DAYS": "5000",
    "STILLWATCH_SOURCE__ALLOWED_SKEW_SECONDS": "1000000000",
}


async def test_live_and_replay_give_the_same_alert_ids(broker: Broker, tmp_path: Path) -> None:
    live = await Live(broker, tmp_path, **ENGINE).create_topics()
    events = [labelled.event for labelled in generate(load_scenario("tiny"), 3, 1_767_225_600_000)]
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"".join(encode_request(event) + b"\n" for event in events))
    wanted = await replayed(live, file, tmp_path / "out")
    records = [Message(value=encode_request(e), key=e.account_id.encode(), timestamp_ms=e.ts) for e in events]
    await produce(broker.bootstrap, live.names.requests, records)
    await produce(broker.bootstrap, live.names.requests, ends_of_time(events[-1].ts))
    with live.worker(program=ENGINE_WORKER) as worker:
        await worker.ready()
        await all_read(live)
        assert worker.stop() == 0, live.log_tail()
    published = alert_uids(await live.read(live.names.alerts))
    assert len(wanted) > 20
    assert set(published) == wanted
    assert len(published) == len(wanted)


async def replayed(live: Live, file: Path, out: Path) -> set[str]:
    """Alert ids of `stillwatch replay` with as many shards as the topic has partitions."""
    partitions = str(live.settings.source.partitions)
    command = [sys.executable, "-m", "stillwatch_agents", "replay", str(file), "--out", str(out)]
    done = await asyncio.to_thread(
        subprocess.run,
        [*command, "--partitions", partitions],
        env=os.environ | ENGINE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {json.loads(line)["metadata"]["uid"] for line in (out / "alerts.jsonl").read_text().splitlines()}


def ends_of_time(last_ms: int) -> list[Message]:
    """A heartbeat for each partition that closes the last pane, as replay's end of input does."""
    at = last_ms + (PANE_SECONDS + LATENESS_SECONDS) * 1_000
    header = (HEARTBEAT_HEADER, str(at).encode())
    return [Message(value=b"", headers=(header,), timestamp_ms=at, partition=partition) for partition in range(2)]


async def all_read(live: Live) -> None:
    """Wait until the checkpoints cover every record of every agent's source."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    for agent in ("account", "group", "policy"):
        ends = [0, 0]
        for record in await live.read(live.names.source(agent)):
            ends[record.partition] = record.offset + 1
        while [r.marker.next_offset if r.marker else 0 for r in await live.recovered(agent)] != ends:
            assert time.monotonic() < deadline, live.log_tail()
            await asyncio.sleep(0.3)
