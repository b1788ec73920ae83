"""The fetch loop asks Faust for records only while some partition has room."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from faust.types import TP
from stillwatch_streams.transport import BUSY_WAIT_SECONDS, FetchConsumer

PLACE = TP("requests", 0)


class Loop(FetchConsumer):
    """The loop alone, with one partition whose agent is busy."""

    should_stop = False
    consumer_stopped_errors = ()

    def __init__(self) -> None:
        self._active_partitions: set[TP] = set()
        self._buffered_partitions = {PLACE}
        self.app = SimpleNamespace(in_recovery=False)
        self.asked = asyncio.Event()

    async def _wait_next_records(self, timeout: float) -> tuple[dict[TP, list[Any]], set[TP]]:  # noqa: ARG002, ASYNC109 - Faust's signature
        self.asked.set()
        return {}, self._active_partitions


async def test_while_the_only_agent_is_busy_faust_is_not_asked_for_it_would_sleep_a_second() -> None:
    loop = Loop()
    task = asyncio.create_task(loop._drain_messages(SimpleNamespace(should_stop=False)))
    await asyncio.sleep(3 * BUSY_WAIT_SECONDS)
    assert not loop.asked.is_set()
    loop.on_buffer_drop(PLACE)
    async with asyncio.timeout(30):
        await loop.asked.wait()
    loop.should_stop = True
    async with asyncio.timeout(30):
        await task
