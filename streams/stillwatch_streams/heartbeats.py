"""Heartbeats for silent request partitions, so that event time goes on and panes close (off by default).

They are records in the topic, not a clock in the engine: whoever replays the topic sees the same time.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from stillwatch_schemas.events import HEARTBEAT_HEADER

from stillwatch_streams.publisher import Message, Publisher

if TYPE_CHECKING:
    from stillwatch_streams.app import WorkerApp


async def beat_while_idle(app: WorkerApp, publisher: Publisher, topic: str) -> None:
    """Write a heartbeat to each of our partitions that was silent too long; never returns."""
    idle = app.settings.source.heartbeat_idle_seconds
    while True:
        await asyncio.sleep(idle / 2 or 3600.0)
        now = time.monotonic()
        silent = [
            tp.partition
            for tp, runner in app.runners.items()
            if idle and tp.topic == topic and now - runner.progressed >= idle
        ]
        beat = str(time.time_ns() // 1_000_000).encode()
        await publisher.send(
            Message(topic=topic, partition=partition, value=b"", headers=((HEARTBEAT_HEADER, beat),))
            for partition in silent
        )
