"""Feeds the directive cache from the enforcement topic: all of it from the start, then whatever comes.

No consumer group: every node reads everything, and nothing is committed. When Kafka is down the cache simply keeps what
it has until it expires; the tail comes back with growing pauses. Whenever it had to start over, the topic is read
beside the directives in force (`DirectiveCache.begin_reload`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from stillwatch_serving.cache import REFUSALS, Applied, DirectiveCache

logger = logging.getLogger("stillwatch.serving.tail")

POLL_MS = 200
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 15.0
TAKEN_AT_ONCE = 50
"""Records between two looks at waiting requests: a signature costs about 0.2 ms to check."""
STALE_AFTER_MS = 3_000
"""Without any answer from the brokers for so long the node counts as disconnected."""
GIVE_UP_AFTER_MS = 30_000
"""Without any answer for so long the consumer is built anew, from the bootstrap addresses."""


class TailStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How current this node's directives are."""

    loaded: bool
    """The whole topic was read at least once: the node knows every directive."""
    connected: bool
    lag: int
    """Records that the broker has and the cache has not."""
    error: str = ""
    """What went wrong last, while disconnected."""


class _StartOverError(Exception):
    """The log is not the one we were reading, or nobody answers any more."""


class DirectiveTail:
    """Reads one topic into one cache, for ever. `on_change` hears of every record that mattered."""

    def __init__(
        self,
        cache: DirectiveCache,
        *,
        topic: str,
        client_options: Callable[[], dict[str, Any]],
        now_ms: Callable[[], int],
        on_change: Callable[[Applied, int], object] = lambda _applied, _now_ms: None,
    ) -> None:
        self._cache = cache
        self._topic = topic
        self._client_options = client_options
        self._now_ms = now_ms
        self._on_change = on_change
        self._loaded = False
        self._worked = False
        """This session has read the whole topic."""
        self._connected = False
        self._lag = 0
        self._error = "not connected yet"

    @property
    def status(self) -> TailStatus:
        """The state as of the last poll."""
        return TailStatus(loaded=self._loaded, connected=self._connected, lag=self._lag, error=self._error)

    async def run(self) -> None:
        """Tail until cancelled; no broker failure ends it."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            self._worked = False
            try:
                await self._session()
            except (KafkaError, OSError, _StartOverError) as error:
                self._disconnected(error)
            if self._worked:
                pause = FIRST_PAUSE_SECONDS
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _session(self) -> None:
        consumer = AIOKafkaConsumer(
            self._topic,
            **self._client_options(),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=POLL_MS,
            request_timeout_ms=10_000,
        )
        try:
            await consumer.start()
            await self._follow(consumer)
        finally:
            await consumer.stop()

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        self._cache.begin_reload()
        self._error = ""
        ends = await consumer.end_offsets(list(consumer.assignment()))
        seen: dict[Any, int] = {}
        started_ms = self._now_ms()
        while True:
            fetched = await consumer.getmany(timeout_ms=POLL_MS, max_records=TAKEN_AT_ONCE)
            for partition, records in fetched.items():
                self._apply(records, expected=seen.get(partition, 0))
                seen[partition] = records[-1].offset + 1
            if self._cache.reloading and await _reached(consumer, ends):
                self._finish_reload()
            self._note_contact(consumer, seen, started_ms)

    def _apply(self, records: list[Any], *, expected: int) -> None:
        now_ms = self._now_ms()
        for record in records:
            if record.offset < expected:
                # The broker lost its log and the client went back to the start of a new one.
                raise _StartOverError(f"{self._topic} starts anew at offset {record.offset}, expected {expected}")
            applied = self._cache.apply(record.key, record.value, now_ms)
            if applied.outcome in REFUSALS:
                logger.warning("directive %s refused: %s %s", applied.key, applied.outcome, applied.detail)
            if applied.outcome in REFUSALS or not self._cache.reloading:
                self._on_change(applied, now_ms)

    def _finish_reload(self) -> None:
        now_ms = self._now_ms()
        for applied in self._cache.end_reload(now_ms):
            self._on_change(applied, now_ms)
        self._loaded = self._worked = True
        logger.info("%d directives read from %s", len(self._cache), self._topic)

    def _note_contact(self, consumer: AIOKafkaConsumer, seen: dict[Any, int], started_ms: int) -> None:
        polls = [consumer.last_poll_timestamp(partition) for partition in consumer.assignment()]
        silent_ms = self._now_ms() - max([started_ms, *(poll for poll in polls if poll)])
        if silent_ms > GIVE_UP_AFTER_MS:
            raise _StartOverError(f"no answer from the brokers for {silent_ms} ms")
        if silent_ms > STALE_AFTER_MS:
            self._connected, self._error = False, f"no answer from the brokers for {silent_ms} ms"
        elif self._error and not self._cache.reloading:
            # What was written meanwhile follows, if it is still the same log. One that lost its tail, or all of it,
            # looks just like that from the old position, so read it from its beginning.
            raise _StartOverError("the brokers are back")
        else:
            self._connected = True
        self._lag = sum(max(0, (consumer.highwater(partition) or 0) - read) for partition, read in seen.items())

    def _disconnected(self, error: Exception) -> None:
        self._connected = False
        self._error = f"{type(error).__name__}: {error}"
        logger.warning("not following %s: %s; directives held stay in force until they expire", self._topic, error)


async def _reached(consumer: AIOKafkaConsumer, ends: dict[Any, int]) -> bool:
    """Whether everything up to these offsets was read."""
    for partition, end in ends.items():
        if await asyncio.wait_for(consumer.position(partition), GIVE_UP_AFTER_MS / 1_000) < end:
            return False
    return True
