"""Publishes request events, acknowledgements and heartbeats without ever being in a request's way.

`emit` appends to a bounded queue and returns; one task drains it to Kafka. When Kafka is slow or down the queue fills,
then the oldest events are dropped and counted: the API must not wait for its watchman. Events that Kafka did not
confirm are sent again, so an event may arrive twice (same `event_id`) but is not lost by a broker's restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeVar

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidMessageError, KafkaError, MessageSizeTooLargeError, RecordListTooLargeError
from stillwatch_schemas.acks import Ack
from stillwatch_schemas.codec import encode_request
from stillwatch_schemas.errors import ContractError
from stillwatch_schemas.events import HEARTBEAT_HEADER, RequestEvent
from stillwatch_schemas.fitting import convert_request

logger = logging.getLogger("stillwatch.serving.emitter")

BATCH = 256
LINGER_SECONDS = 0.02
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 15.0
ACKS_HELD = 10_000
MAX_VALUE_BYTES = 900_000
"""Leaves room for the record's key and headers below Kafka's default limit of 1 MiB."""
POISON = (InvalidMessageError, MessageSizeTooLargeError, RecordListTooLargeError)
"""Answers that will not change when the same record is sent again."""
HEARTBEAT_HOLD_MS = 60_000
"""A heartbeat waits for the oldest request still running, but not longer than this."""

Count = Literal["sent", "dropped", "unfit", "sent_again", "heartbeats", "acks_sent", "acks_dropped"]


_Given = TypeVar("_Given")
_Made = TypeVar("_Made")


class _Record(msgspec.Struct, frozen=True):
    topic: str
    key: bytes | None
    value: bytes
    acknowledges: bool
    partition: int | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


class Emitter:
    """A bounded queue in front of one Kafka producer. Use from the event loop's thread."""

    def __init__(
        self,
        *,
        topic: str,
        acks_topic: str,
        client_options: Callable[[], dict[str, Any]],
        now_ms: Callable[[], int],
        queue_size: int = 50_000,
        heartbeat_seconds: float = 5.0,
        private: Callable[[list[RequestEvent]], list[RequestEvent]] | None = None,
        oldest_running_ms: Callable[[], int | None] = lambda: None,
    ) -> None:
        """`private` replaces the texts of events by their sketches, before anything leaves the process.

        `oldest_running_ms` is the arrival time of the oldest request whose event is still to come.
        """
        self._topic = topic
        self._acks_topic = acks_topic
        self._client_options = client_options
        self._now_ms = now_ms
        self._heartbeat_ms = heartbeat_seconds * 1_000
        self._private = private
        self._oldest_running_ms = oldest_running_ms
        self._queue: deque[RequestEvent | Mapping[str, Any]] = deque(maxlen=queue_size)
        self._acks: deque[Ack] = deque(maxlen=ACKS_HELD)
        self._unconfirmed: list[_Record] = []
        self._last_sent_ms: dict[int, int] = {}
        self._began_ms = now_ms()
        self._wake = asyncio.Event()
        self.connected = False
        self.counts: Counter[Count] = Counter()

    def __len__(self) -> int:
        """Events and acknowledgements that Kafka does not have yet."""
        return len(self._queue) + len(self._acks) + len(self._unconfirmed)

    def emit(self, event: RequestEvent | Mapping[str, Any]) -> None:
        """Queue one event (or its loose fields, mended where the client chose the value). Never blocks or raises."""
        if len(self._queue) == self._queue.maxlen:
            self.counts["dropped"] += 1
        self._queue.append(event)
        self._wake.set()

    def acknowledge(self, ack: Ack) -> None:
        """Queue one acknowledgement. Never blocks or raises."""
        if len(self._acks) == self._acks.maxlen:
            self.counts["acks_dropped"] += 1
        self._acks.append(ack)
        self._wake.set()

    async def run(self) -> None:
        """Publish until cancelled; no broker failure ends it."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            sent_before = self.counts["sent"]
            try:
                await self._session()
            except (KafkaError, OSError) as error:
                logger.warning("not publishing to %s: %r; events queue until then", self._topic, error)
            self.connected = False
            pause = FIRST_PAUSE_SECONDS if self.counts["sent"] > sent_before else min(pause * 2, LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause)

    async def drained(self, timeout_seconds: float) -> bool:
        """Wait until Kafka has everything queued; False when that took too long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                while self:  # noqa: ASYNC110  # once, at shutdown; an event would have to be kept right for years
                    await asyncio.sleep(LINGER_SECONDS)
        return not self

    async def _session(self) -> None:
        producer = AIOKafkaProducer(**self._client_options(), acks="all", linger_ms=5, request_timeout_ms=10_000)
        try:
            await producer.start()
            while True:
                await self._publish(producer)
                self.connected = True
                if not self:
                    await self._beat(producer)
                    await self._idle()
        finally:
            await producer.stop()

    async def _idle(self) -> None:
        """Wait for work, at most until the next heartbeat is due; a moment longer lets events share a request."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._heartbeat_ms / 2_000):
                await self._wake.wait()
        self._wake.clear()
        await asyncio.sleep(LINGER_SECONDS)

    async def _publish(self, producer: AIOKafkaProducer) -> None:
        if not self._unconfirmed:
            self._unconfirmed = self._next_events() + self._next_acks()
        await self._send(producer, self._unconfirmed)
        self._unconfirmed = []

    async def _send(self, producer: AIOKafkaProducer, records: list[_Record]) -> None:
        """Send and wait for every confirmation; the first failure is raised after all are known."""
        futures = []
        try:
            for record in records:
                future = await producer.send(
                    record.topic,
                    record.value,
                    key=record.key,
                    partition=record.partition,
                    headers=list(record.headers),
                )
                futures.append(future)
        finally:
            results = await asyncio.gather(*futures, return_exceptions=True)
            failed = self._note(records, results)
        if failed is not None:
            raise failed

    def _note(self, records: list[_Record], results: list[Any]) -> BaseException | None:
        """Count what was confirmed, keep what is worth sending again; returns the failure to act on."""
        kept, failure = records[len(results) :], None
        for record, result in zip(records, results, strict=False):
            if isinstance(result, POISON):
                self.counts["unfit"] += 1
                logger.warning("Kafka does not take an event of %r: %s", record.key, result)
            elif isinstance(result, BaseException):
                failure = result
                kept.append(record)
            else:
                self._note_confirmed(record, result.partition)
        if records is self._unconfirmed:
            self._unconfirmed = kept
            self.counts["sent_again"] += len(kept)
        return failure

    def _note_confirmed(self, record: _Record, partition: int) -> None:
        self.counts["acks_sent" if record.acknowledges else "heartbeats" if record.headers else "sent"] += 1
        if record.topic == self._topic:
            self._last_sent_ms[partition] = self._now_ms()

    def _next_events(self) -> list[_Record]:
        taken = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
        events = self._each(taken, _event)
        return self._each(self._private(events) if self._private else events, self._encoded)

    def _encoded(self, event: RequestEvent) -> _Record:
        value = encode_request(event, max_bytes=MAX_VALUE_BYTES)
        return _Record(self._topic, event.account_id.encode(), value, acknowledges=False)

    def _each(self, given: Iterable[_Given], convert: Callable[[_Given], _Made]) -> list[_Made]:
        """What `convert` makes of each; those it cannot take are counted and left out."""
        made = []
        for each in given:
            try:
                made.append(convert(each))
            except (ContractError, UnicodeError) as error:
                self.counts["unfit"] += 1
                logger.warning("a request event cannot be published: %s", error)
        return made

    def _next_acks(self) -> list[_Record]:
        acks = [self._acks.popleft() for _ in range(min(BATCH, len(self._acks)))]
        return [
            _Record(self._acks_topic, ack.key.encode(errors="replace"), msgspec.json.encode(ack), acknowledges=True)
            for ack in acks
        ]

    async def _beat(self, producer: AIOKafkaProducer) -> None:
        """One heartbeat for every partition that has been silent; says that no earlier event is to come from here."""
        now_ms = self._now_ms()
        running_ms = self._oldest_running_ms()
        time_ms = now_ms if running_ms is None else max(min(running_ms, now_ms), now_ms - HEARTBEAT_HOLD_MS)
        header = (HEARTBEAT_HEADER, str(time_ms).encode())
        silent = [
            partition
            for partition in sorted(await producer.partitions_for(self._topic))
            if now_ms - self._last_sent_ms.get(partition, self._began_ms) >= self._heartbeat_ms
        ]
        beats = [_Record(self._topic, None, b"", acknowledges=False, partition=p, headers=(header,)) for p in silent]
        await self._send(producer, beats)


def _event(loose: RequestEvent | Mapping[str, Any]) -> RequestEvent:
    return loose if isinstance(loose, RequestEvent) else convert_request(loose)
