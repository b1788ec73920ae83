"""A range of a Kafka topic, read once from beginning to end without a consumer group, so nobody's offsets move.

The end is the end offset of each partition at the start; records that arrive later are not waited for. Records of the
batch that crosses it are handed out too: some brokers understate the end by the rest of their last batch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from stillwatch_schemas.errors import ConfigError, SourceError

from stillwatch_streams.ingest import Record
from stillwatch_streams.sources.base import Chunk
from stillwatch_streams.sources.times import TimeRange

T = TypeVar("T")

POLL_MS = 250
SILENCE_SECONDS = 60.0
"""A partition that should have more records but yields none for this long is given up with a SourceError."""


class Address(msgspec.Struct, frozen=True):
    """What `kafka://host:port[,host:port]/topic` names."""

    bootstrap: str
    topic: str


def parse_address(spec: str) -> Address:
    """The parts of a `kafka://` address; ConfigError where one is missing."""
    url = urlsplit(spec)
    topic = url.path.strip("/")
    if not url.netloc or not topic or "/" in topic:
        raise ConfigError(f"{spec}: a topic is written kafka://host:port/topic")
    return Address(url.netloc, topic)


class KafkaSource:
    """All partitions of a topic, or the part of them whose broker times fall in a range.

    `margin_ms` widens the range on both sides, because an event's own time may differ from the broker's by that much;
    the reader cuts by event time. `options` are further client options (security).
    """

    def __init__(
        self, spec: str, between: TimeRange, *, margin_ms: int = 600_000, options: Mapping[str, Any] | None = None
    ) -> None:
        self.address = parse_address(spec)
        self.name = spec
        self.size = 0
        self.partitions = 0
        """Known once `chunks` or `open` has run."""
        self._between = between
        self._margin_ms = margin_ms
        self._options = {**(options or {}), "bootstrap_servers": self.address.bootstrap}
        self._range: dict[TopicPartition, tuple[int, int]] = {}

    def open(self) -> None:
        """Ask the broker for partitions and range; SourceError where it cannot be reached or has no such topic."""
        with asyncio.Runner() as runner:
            consumer = runner.run(self._started())
            runner.run(consumer.stop())

    def chunks(self) -> Iterator[Chunk]:
        """Records partition by partition, in turn as they arrive; each chunk belongs to one partition."""
        with asyncio.Runner() as runner:
            consumer = runner.run(self._started())
            try:
                yield from self._read(runner, consumer)
            finally:
                runner.run(consumer.stop())

    def _read(self, runner: asyncio.Runner, consumer: AIOKafkaConsumer) -> Iterator[Chunk]:
        done, quiet = 0, 0.0
        open_ended = {tp for tp, (start, end) in self._range.items() if start < end}
        ended = tuple(tp.partition for tp in self._range if tp not in open_ended)
        while open_ended:
            fetched = self._run(runner, consumer.getmany(*open_ended, timeout_ms=POLL_MS))
            for tp, records in fetched.items():
                done += len(records)
                if self._beyond(records) or self._run(runner, consumer.position(tp)) >= self._range[tp][1]:
                    open_ended.discard(tp)
                    ended = (*ended, tp.partition)
                yield Chunk(records, done, tp.partition, ended)
            quiet = 0.0 if fetched else quiet + POLL_MS / 1_000
            if quiet >= SILENCE_SECONDS:
                raise SourceError(self._stalled(runner, consumer, open_ended))

    async def _started(self) -> AIOKafkaConsumer:
        """A consumer placed at the start of the range."""
        consumer = AIOKafkaConsumer(
            enable_auto_commit=False,
            isolation_level="read_committed",
            fetch_max_wait_ms=POLL_MS,
            **self._options,
        )
        try:
            await consumer.start()
        except (KafkaError, OSError) as error:
            await consumer.stop()
            raise SourceError(
                f"{self.name}: the broker cannot be reached: {error}; check host and port in SOURCE,"
                " and security in the settings"
            ) from error
        try:
            await self._place(consumer)
        except BaseException:
            await consumer.stop()
            raise
        return consumer

    async def _place(self, consumer: AIOKafkaConsumer) -> None:
        if self.address.topic not in await consumer.topics():
            raise SourceError(f"{self.name}: the broker has no topic {self.address.topic}")
        tps = [TopicPartition(self.address.topic, number) for number in await self._partition_numbers()]
        consumer.assign(tps)
        first, last = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
        if self._between.start_ms is not None:
            first |= await _offsets_at(consumer, tps, self._between.start_ms - self._margin_ms)
        self._range = {tp: (first[tp], last[tp]) for tp in tps}
        self.size = sum(end - start for start, end in self._range.values())
        self.partitions = len(tps)
        for tp in tps:
            consumer.seek(tp, first[tp])

    async def _partition_numbers(self) -> list[int]:
        """Partitions of the topic; a consumer itself would only know them after subscribing."""
        admin = AIOKafkaAdminClient(**self._options)
        await admin.start()
        try:
            (described,) = await admin.describe_topics([self.address.topic])
        finally:
            await admin.close()
        return sorted(partition["partition"] for partition in described["partitions"])

    def _beyond(self, records: Sequence[Record]) -> bool:
        """Everything in this fetch, and so what follows, lies after the wanted time."""
        end = self._between.end_ms
        return end is not None and min(record.timestamp for record in records) >= end + self._margin_ms

    def _run(self, runner: asyncio.Runner, call: Coroutine[Any, Any, T]) -> T:
        try:
            return runner.run(call)
        except (KafkaError, OSError) as error:
            raise SourceError(f"{self.name}: reading failed: {error!r}") from error

    def _stalled(self, runner: asyncio.Runner, consumer: AIOKafkaConsumer, waiting: set[TopicPartition]) -> str:
        places = ", ".join(
            f"partition {tp.partition} at {self._run(runner, consumer.position(tp))} of {self._range[tp][1]}"
            for tp in sorted(waiting)
        )
        return f"{self.name}: no records for {SILENCE_SECONDS:g} s although some remain: {places}"


async def _offsets_at(consumer: AIOKafkaConsumer, tps: list[TopicPartition], at_ms: int) -> dict[TopicPartition, int]:
    """The first offset of each partition whose broker time is `at_ms` or later, as the broker's index has it.

    A partition without such a record is left out and then read whole, because the embedded broker looks only at the
    first record of each batch; whoever reads cuts by event time.
    """
    found = await consumer.offsets_for_times(dict.fromkeys(tps, max(at_ms, 0)))
    return {tp: place.offset for tp, place in found.items() if place is not None}
