"""The same with the real agents: request topic in, alerts and signed directives out, worker killed in between."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from stillwatch_models.engine import AccountEngine
from stillwatch_schemas.codec import encode_request
from stillwatch_schemas.events import RequestEvent
from stillwatch_schemas.signing import generate_key, save_private_key, verify_value
from stillwatch_streams.simulator import generate, load_scenario
from support.brokers import Broker
from support.kafka_io import Message, produce
from support.live import PATIENCE_SECONDS, Live, alert_uids

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

ENGINE_WORKER = str(Path(__file__).parent.parent / "support" / "engine_worker.py")
ENGINE = {
    "STILLWATCH_ENGINE__HARD_CEILING_PER_MINUTE": "2",  # so low that ordinary traffic raises many alerts
    "STILLWATCH_ENGINE__POLICY__MAX_ACCOUNT_SHARE": "1.0",
    "STILLWATCH_ENGINE__PANE_SECONDS": "60",
    "STILLWATCH_SOURCE__ALLOWED_SKEW_SECONDS": "1000000000",
    "STILLWATCH_SERVICE__INSTANCE_ID": "worker-0",
}


def messages() -> list[Message]:
    """A simulated stream, every record stamped with its event's own time."""
    events: list[RequestEvent] = [labelled.event for labelled in generate(load_scenario("tiny"), 3, 1_767_225_600_000)]
    return [Message(value=encode_request(e), key=e.account_id.encode(), timestamp_ms=e.ts) for e in events]


async def test_real_agents_killed_three_times(broker: Broker, tmp_path: Path) -> None:
    key = generate_key()
    save_private_key(key, tmp_path / "policy.pem")
    signing = {"STILLWATCH_ENFORCEMENT__SIGNING_KEY_PATH": str(tmp_path / "policy.pem")}
    live = await Live(broker, tmp_path, **ENGINE, **signing).create_topics()
    stream = messages()
    worker = live.worker(program=ENGINE_WORKER)
    try:
        for part in range(3):
            await worker.start().ready()
            third = stream[part * len(stream) // 3 : (part + 1) * len(stream) // 3]
            before = len(await live.read(live.names.checkpoints("account")))
            await produce(broker.bootstrap, live.names.requests, third)
            await some_progress(live, before)
            worker.kill()
        await worker.start().ready()
        clean = await live.clean_run(lambda partition: AccountEngine(live.settings.engine, partition))
        found = await live.caught_up(clean)
        await policy_caught_up(live)
        assert worker.stop() == 0, live.log_tail()
    finally:
        if worker.process is not None and worker.process.poll() is None:
            worker.kill()
    assert [recovery.rows for recovery in found] == clean.snapshots
    published = alert_uids(await live.read(live.names.alerts))
    assert set(published) == clean.alert_uids
    assert len(clean.alert_uids) > 20
    directives = await live.read(live.names.enforcement)
    orders = [verify_value(record.value, key.public_key()) for record in directives if record.value is not None]
    assert orders
    assert {order.mode for order in orders} == {"shadow"}


async def some_progress(live: Live, before: int) -> None:
    """Wait until the account agent has written one more checkpoint."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(await live.read(live.names.checkpoints("account"))) <= before:
        assert time.monotonic() < deadline, live.log_tail()
        await asyncio.sleep(0.1)


async def policy_caught_up(live: Live) -> None:
    """Wait until the policy agent has answered every alert there is."""
    ends = [0] * live.settings.source.partitions
    for record in await live.read(live.names.alerts):
        ends[record.partition] = record.offset + 1
    deadline = time.monotonic() + PATIENCE_SECONDS
    while [r.marker.next_offset if r.marker else 0 for r in await live.recovered("policy")] != ends:
        assert time.monotonic() < deadline, live.log_tail()
        await asyncio.sleep(0.3)
