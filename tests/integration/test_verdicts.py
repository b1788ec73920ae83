"""From an alert to an analyst's verdict and back: the incident closes, the directive goes, and replay says the same."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from stillwatch_schemas.alerts import decode_finding
from stillwatch_schemas.codec import decode_directive, encode_request
from stillwatch_schemas.events import HEARTBEAT_HEADER, RequestEvent
from stillwatch_schemas.findings import Finding
from support.brokers import Broker
from support.builders import T0
from support.kafka_io import Message, produce
from support.live import PATIENCE_SECONDS, Live, alert_uids
from support.traffic import traffic
from support.waiting import until

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

ENGINE_WORKER = str(Path(__file__).parent.parent / "support" / "engine_worker.py")
ENGINE = {
    "STILLWATCH_ENGINE__PANE_SECONDS": "1",
    "STILLWATCH_ENGINE__LATENESS_SECONDS": "2",
    "STILLWATCH_ENGINE__EVIDENCE_BLOCK_SECONDS": "5",
    "STILLWATCH_ENGINE__PERSISTENCE_BLOCKS": "3",
    "STILLWATCH_ENGINE__MIN_EVENTS": "3",
    "STILLWATCH_ENGINE__BUDGET_PER_10K_ACCOUNT_DAYS": "5000",
    "STILLWATCH_ENGINE__POLICY__MAX_ACCOUNT_SHARE": "1.0",
    "STILLWATCH_SOURCE__ALLOWED_SKEW_SECONDS": "1000000000",
}

SUBJECT = "acct-0"
"""The busiest account of the traffic, a harvester all along."""


async def stillwatch(live: Live, *arguments: str) -> tuple[int, str, str]:
    """Run the command line: exit code, output, errors."""
    command = [sys.executable, "-m", "stillwatch_agents", *arguments]
    done = await asyncio.to_thread(subprocess.run, command, env=os.environ | live.env, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def recent_traffic() -> list[Message]:
    """Requests of the last hour, so that directives are alive; moved by whole hours, so that panes fall alike."""
    events = [item for item in traffic(1, 900) if isinstance(item, RequestEvent)]
    ago = time.time_ns() // 1_000_000 - max(event.ts for event in events)
    shift = ago - ago % 3_600_000
    events = [msgspec.structs.replace(event, ts=event.ts + shift) for event in events]
    return [Message(value=encode_request(e), key=e.account_id.encode(), timestamp_ms=e.ts) for e in events]


def later(seconds: int) -> list[Message]:
    """Heartbeats that close every pane there is."""
    at = time.time_ns() // 1_000_000 + seconds * 1_000
    header = (HEARTBEAT_HEADER, str(at).encode())
    return [Message(value=b"", headers=(header,), timestamp_ms=at, partition=partition) for partition in range(2)]


async def findings(live: Live) -> list[Finding]:
    return [decode_finding(record.value) for record in await live.read(live.names.alerts)]


async def ordered(live: Live) -> dict[str, str]:
    """Subjects that are under a directive, and the incident it is about."""
    latest = {record.key: record.value for record in await live.read(live.names.enforcement)}
    orders = [decode_directive(value) for value in latest.values() if value is not None]
    return {order.subject: order.finding_uid for order in orders}


async def test_a_benign_verdict_closes_the_incident_and_releases_the_directive(broker: Broker, tmp_path: Path) -> None:
    live = await Live(broker, tmp_path, **ENGINE).create_topics()
    await produce(broker.bootstrap, live.names.requests, [*recent_traffic(), *later(5)])
    with live.worker(program=ENGINE_WORKER) as worker:
        await worker.ready()
        await until(lambda: _is_ordered(live, SUBJECT), seconds=PATIENCE_SECONDS, what="a directive")
        subject, uid = SUBJECT, (await ordered(live))[SUBJECT]
        code, out, _ = await stillwatch(live, "directives", "--subject", subject, "--json")
        assert code == 0
        assert [one["finding_uid"] for one in json.loads(out)] == [uid]

        code, out, err = await stillwatch(live, "verdict", uid, "--label", "benign", "--note", "ours", "--json")
        assert code == 0, err
        given = json.loads(out)
        assert (given["subject"], given["finding_uid"]) == (subject, uid)
        assert "shard" in given
        await until(lambda: _relayed(live, given["verdict_id"]), seconds=PATIENCE_SECONDS, what="the control record")
        await produce(broker.bootstrap, live.names.requests, later(60))
        await until(lambda: _released(live, subject), seconds=PATIENCE_SECONDS, what="the release")
        assert await worker.metric("stillwatch_shard", {"name": "verdicts_benign"}) == 1
        assert worker.stop() == 0, live.log_tail()
    closed = [one for one in await findings(live) if one.ruling == "rejected"]
    assert [(one.uid, one.activity, one.subject) for one in closed] == [(uid, "close", subject)]
    assert "ours" in closed[0].evidence[0].statement
    code, out, _ = await stillwatch(live, "directives", "--subject", subject)
    assert (code, out) == (0, f"No directive is in force on {subject}.\n")
    published = alert_uids(await live.read(live.names.alerts))
    assert set(published) == await replayed(live, tmp_path / "out")


async def _is_ordered(live: Live, subject: str) -> bool:
    return subject in await ordered(live)


async def _relayed(live: Live, verdict_id: str) -> bool:
    return any(verdict_id.encode() in (record.value or b"") for record in await live.read(live.names.requests))


async def _released(live: Live, subject: str) -> bool:
    return subject not in await ordered(live)


async def replayed(live: Live, out: Path) -> set[str]:
    """Alert ids of a replay of the very topic, verdict and all."""
    source = f"kafka://{live.broker.bootstrap}/{live.names.requests}"
    code, _, err = await stillwatch(live, "replay", source, "--out", str(out))
    assert code == 0, err
    return {json.loads(line)["metadata"]["uid"] for line in (out / "alerts.jsonl").read_text().splitlines()}


async def test_a_verdict_on_an_unknown_incident_says_how_to_go_on(broker: Broker, tmp_path: Path) -> None:
    live = await Live(broker, tmp_path).create_topics()
    code, _, err = await stillwatch(live, "verdict", "no-such-incident", "--label", "benign")
    assert code == 2
    assert "no alert of incident no-such-incident" in err
    assert "--subject" in err
    code, out, err = await stillwatch(
        live, "verdict", "gone", "--label", "unsure", "--subject", "acct-1", "--analyst", "k"
    )
    assert code == 0, err
    assert out.startswith("account acct-1: unsure, verdict ")
    (record,) = await live.read(live.names.verdicts)
    assert json.loads(record.value or b"")["analyst"] == "k"


async def test_what_is_no_verdict_goes_to_the_dead_letters(broker: Broker, tmp_path: Path) -> None:
    live = await Live(broker, tmp_path).create_topics()
    bad = Message(value=b'{"label":"guilty"}', key=b"inc-1", timestamp_ms=T0)
    await produce(broker.bootstrap, live.names.verdicts, [bad])
    with live.worker(program=ENGINE_WORKER) as worker:
        await worker.ready()
        await until(lambda: _buried(live), seconds=PATIENCE_SECONDS, what="a dead letter")
        assert worker.stop() == 0, live.log_tail()
    code, out, _ = await stillwatch(live, "dlq", "list", "--agent", "feedback", "--json")
    assert code == 0
    assert [letter["topic"] for letter in json.loads(out)] == [live.names.verdicts]


async def _buried(live: Live) -> bool:
    return bool(await live.read(live.names.dlq(live.names.verdicts)))
