"""From a request to its alert and to its directive, under a steady load of events that happen now.

All topics carry the broker's append time, so both ends of a span are one clock's, and the alert counts only once the
broker has it. A span begins with the event's own `ts` (when the load generator made it) where an event is meant, and
with the broker's append time of the record that moves the watermark past the pane's end where a pane's end is meant.
"""

from __future__ import annotations

import asyncio
import bisect
import random
import time
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer
from stillwatch_schemas.alerts import decode_finding
from stillwatch_schemas.codec import encode_request
from stillwatch_schemas.directives import Directive
from stillwatch_schemas.findings import Finding
from support.kafka_io import Received, read_all
from support.kafka_node import KafkaNode

from live.installation import Installation, Worker
from live.results import spread
from live.traffic import IMPERSONAL, quick_event

PANE_SECONDS = LATENESS_SECONDS = 2
SETTINGS = {
    "engine__pane_seconds": str(PANE_SECONDS),
    "engine__lateness_seconds": str(LATENESS_SECONDS),
    "engine__hard_ceiling_per_minute": "600",  # 20 requests in a pane
    "engine__persistence_events": "20",
    "engine__reference_seconds": "10",
}
WARM_SECONDS = 5.0
BACKGROUND_ACCOUNTS = 2_000
HARVESTERS, HARVESTER_RATE = 100, 2.0
BURST_EVERY_SECONDS, BURST_EVENTS, BURST_SECONDS = 0.25, 30, 0.4
TICK_SECONDS = 0.002


class _Ts(msgspec.Struct):
    ts: int
    event_id: str


class Plan(msgspec.Struct, frozen=True, order=True):
    """One request to come."""

    due: float
    """Seconds after the load begins."""
    account: str
    style: int = 6


def plan(rate: float, seconds: float, rng: random.Random) -> list[Plan]:
    """Harvesters that begin one after the other, accounts that burst past the ceiling, and ordinary ones."""
    requests = list(_harvesters(seconds)) + list(_bursts(seconds))
    rest = max(0, round(rate * seconds) - len(requests))
    requests += [Plan(rng.uniform(0, seconds), f"person-{rng.randrange(BACKGROUND_ACCOUNTS)}") for _ in range(rest)]
    return sorted(requests)


def _harvesters(seconds: float) -> Iterator[Plan]:
    for number in range(HARVESTERS):
        begins = number / HARVESTERS * seconds * 0.6
        for shot in range(int((seconds - begins) * HARVESTER_RATE)):
            yield Plan(begins + shot / HARVESTER_RATE, f"harvester-{number}", IMPERSONAL)


def _bursts(seconds: float) -> Iterator[Plan]:
    for number in range(int(seconds / BURST_EVERY_SECONDS)):
        for shot in range(BURST_EVENTS):
            yield Plan(number * BURST_EVERY_SECONDS + shot * BURST_SECONDS / BURST_EVENTS, f"burst-{number}")


async def paced(node: KafkaNode, folder: Path, rate: int, seconds: float) -> dict[str, Any]:
    """Run the load against a worker that is ready, and take the spans from the topics."""
    installation = await Installation(node, folder, **SETTINGS).create(broker_time=True)
    async with Worker(installation) as worker:
        await worker.until_ready()
        start = worker.reading()
        late_ms = await _send(installation, plan(rate, seconds, random.Random(rate)))  # noqa: S311 - seeded
        end = worker.reading()
        await worker.until_quiet()
    requests = await read_all(node.bootstrap, installation.names.requests)
    alerts = await read_all(node.bootstrap, installation.names.alerts)
    directives = await read_all(node.bootstrap, installation.names.enforcement)
    return {
        "asked_events_per_second": rate,
        "events": len(requests),
        "events_per_second": round(len(requests) / (end.at - start.at)),
        "generator_late_ms": spread(late_ms),
        "worker_cpu_share_of_a_core": round((end.cpu_seconds - start.cpu_seconds) / (end.at - start.at), 3),
        "spans_ms": _spans(requests, alerts, directives),
    }


async def _send(installation: Installation, requests: list[Plan]) -> list[float]:
    """Send each request when it is due, stamped with that moment; how late the generator itself was, in ms."""
    rng = random.Random(2)  # noqa: S311 - seeded, on purpose
    producer = AIOKafkaProducer(bootstrap_servers=installation.bootstrap, acks=1, linger_ms=0)
    await producer.start()
    late = []
    try:
        began = time.monotonic()
        for number, request in enumerate(requests):
            while (early := began + request.due - time.monotonic()) > 0:  # noqa: ASYNC110 - paced by the clock
                await asyncio.sleep(min(early, TICK_SECONDS))
            late.append(-early * 1000)
            event = quick_event(rng, f"e{number}", request.account, _now_ms(), style=request.style)
            await producer.send(installation.names.requests, encode_request(event), key=event.account_id.encode())
    finally:
        await producer.stop()
    return late


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _spans(requests: list[Received], alerts: list[Received], directives: list[Received]) -> dict[str, Any]:
    """Spans by kind; what happened while the worker was warming up is left out."""
    heads = [msgspec.json.decode(record.value or b"", type=_Ts) for record in requests]
    event_ts = {head.event_id: head.ts for head in heads}
    clock = _Watermark(heads, requests)
    warm = heads[0].ts + WARM_SECONDS * 1000
    ordered = _first_directives(directives)
    spans: dict[str, list[float]] = {
        f"{kind} to {what}": []
        for kind in ("hard ceiling: event", "pane end: closing record")
        for what in ("alert", "directive")
    }
    for record in alerts:
        found = decode_finding(record.value)
        kind, begin = _beginning(found, event_ts, clock)
        if begin < warm:
            continue
        spans[f"{kind} to alert"].append(record.timestamp_ms - begin)
        if found.activity == "create" and found.uid in ordered:
            spans[f"{kind} to directive"].append(ordered[found.uid] - begin)
    return {name: spread(values) for name, values in spans.items()}


def _beginning(found: Finding, event_ts: dict[str, int], clock: _Watermark) -> tuple[str, int]:
    if found.kind == "hard_ceiling":
        return "hard ceiling: event", event_ts[found.evidence[0].event_ids[0]]
    return "pane end: closing record", clock.passed(found.time_ms + LATENESS_SECONDS * 1000)


class _Watermark:
    """When the greatest event time of the topic reached a value, by the broker's clock."""

    def __init__(self, heads: list[_Ts], requests: list[Received]) -> None:
        self._greatest = list(accumulate((head.ts for head in heads), max))
        self._appended = [record.timestamp_ms for record in requests]

    def passed(self, ts: int) -> int:
        """Append time of the first record with which event time reached `ts`."""
        return self._appended[bisect.bisect_left(self._greatest, ts)]


def _first_directives(records: list[Received]) -> dict[str, int]:
    """Append time of each incident's first directive."""
    first: dict[str, int] = {}
    for record in records:
        if record.value is not None:
            directive = msgspec.json.decode(record.value, type=Directive)
            first.setdefault(directive.finding_uid, record.timestamp_ms)
    return first
