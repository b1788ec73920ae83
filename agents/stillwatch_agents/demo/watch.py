"""Reads what the system says: alerts and directives from their topics, the worker's metrics over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import aiohttp
from aiokafka import AIOKafkaConsumer
from prometheus_client.parser import text_string_to_metric_families
from stillwatch_schemas.alerts import decode_finding
from stillwatch_schemas.codec import decode_directive
from stillwatch_schemas.directives import Directive
from stillwatch_schemas.errors import ContractError

from stillwatch_agents.demo.stack import Stack
from stillwatch_agents.demo.state import DemoState, Suspect

POLL_MS = 200
METRICS_SECONDS = 1.0


async def follow_topics(
    stack: Stack,
    state: DemoState,
    seconds: Callable[[], float],
    *,
    on_alert: Callable[[Suspect], object],
    on_directive: Callable[[Directive], object],
) -> None:
    """Note every alert and directive, for ever."""
    alerts, enforcement = stack.names.alerts, stack.names.enforcement
    consumer = AIOKafkaConsumer(
        alerts, enforcement, **stack.options, group_id=None, auto_offset_reset="earliest", fetch_max_wait_ms=POLL_MS
    )
    await consumer.start()
    try:
        while True:
            for partition, records in (await consumer.getmany(timeout_ms=POLL_MS)).items():
                for record in records:
                    with contextlib.suppress(ContractError):
                        if partition.topic == alerts:
                            suspect = state.note_alert(decode_finding(record.value), seconds())
                            if suspect is not None:
                                on_alert(suspect)
                        else:
                            _note_directive(state, record, seconds(), on_directive)
    finally:
        await consumer.stop()


async def follow_metrics(stack: Stack, state: DemoState, seconds: Callable[[], float]) -> None:
    """Note the worker's counters every second, and raise when a program has died."""
    async with aiohttp.ClientSession() as session:
        while True:
            await asyncio.sleep(METRICS_SECONDS)
            stack.children.check()
            with contextlib.suppress(aiohttp.ClientError, OSError):
                async with session.get(f"{stack.worker_url}/metrics") as response:
                    _note_metrics(state, await response.text(), seconds())


def _note_directive(state: DemoState, record: Any, at: float, on_directive: Callable[[Directive], object]) -> None:
    directive = None if record.value is None else decode_directive(record.value)
    state.note_directive(record.key.decode(), directive, at)
    if directive is not None:
        on_directive(directive)


def _note_metrics(state: DemoState, text: str, at: float) -> None:
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.labels.get("agent") == "account":
                name = f"{sample.name}.{sample.labels.get('name', '')}"
                found[name] = found.get(name, 0.0) + sample.value
    state.note_metrics(
        at,
        int(found.get("stillwatch_events_total.", 0)),
        int(found.get("stillwatch_shard.panes", 0)),
        int(found.get("stillwatch_lag_records.", 0)),
    )
