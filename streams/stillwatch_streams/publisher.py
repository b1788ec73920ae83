"""One producer for everything a worker writes. A message counts as written only when the broker said so."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.protocol.transaction import InitProducerIdRequest
from stillwatch_schemas.errors import BrokerError

from stillwatch_streams.partitioning import partition_of

BATCH_BYTES = 900_000
"""Largest record batch: below every broker's default limit of 1 MiB (`message.max.bytes`)."""
Record = tuple[bytes | None, bytes | None, int | None, list[tuple[str, bytes]]]
"""Key, value, timestamp in ms, headers."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One record to write; partition None lets the key decide as Kafka's default does; value None is a tombstone."""

    topic: str
    value: bytes | None
    key: bytes | None = None
    partition: int | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp_ms: int | None = None
    """None: now."""


class Written(NamedTuple):
    """A record batch that the broker has."""

    offset: int
    """Of its first record."""
    records: int
    size: int
    """Bytes."""


class Publisher:
    """Writes messages and whole batches, and waits for every acknowledgement."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        self._producer: Any = None

    async def __aenter__(self) -> Self:
        try:
            idempotent = await idempotence_supported(self._options)
            self._producer = AIOKafkaProducer(
                **self._options,
                acks="all",
                max_batch_size=BATCH_BYTES,
                enable_idempotence=idempotent,
            )
            await self._producer.start()
        except (KafkaError, OSError) as error:
            raise unreachable(self._options, error) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._producer is not None:
            await self._producer.stop()

    async def partitions(self, topic: str) -> int:
        """Number of partitions of a topic."""
        return len(await self._producer.partitions_for(topic))

    async def send(self, messages: Iterable[Message]) -> list[int]:
        """Write all messages and wait until the broker has them; their offsets. Raises KafkaError if it refuses one.

        Those of one partition are written in their order, in as few record batches as hold them.
        """
        messages = list(messages)
        places = defaultdict[tuple[str, int], list[int]](list)
        for number, message in enumerate(messages):
            places[message.topic, await self._partition(message)].append(number)
        offsets = [0] * len(messages)

        async def send_to(place: tuple[str, int], numbers: Sequence[int]) -> None:
            at = iter(numbers)
            async for written in self._write(*place, (_record(messages[number]) for number in numbers)):
                for offset in range(written.offset, written.offset + written.records):
                    offsets[next(at)] = offset

        await asyncio.gather(*(send_to(place, numbers) for place, numbers in places.items()))
        return offsets

    async def _partition(self, message: Message) -> int:
        if message.partition is not None:
            return message.partition
        return partition_of(message.key or b"", await self.partitions(message.topic))

    async def send_batches(self, topic: str, partition: int, records: Iterable[tuple[bytes, bytes | None]]) -> int:
        """Write records to one partition as few batches, in order; returns the bytes written."""
        plain: Iterator[Record] = ((key, value, None, []) for key, value in records)
        return sum([written.size async for written in self._write(topic, partition, plain)])

    async def _write(self, topic: str, partition: int, records: Iterable[Record]) -> AsyncIterator[Written]:
        """Each batch is acknowledged before the next is sent: a retry can't put an older record after a newer one."""
        for batch in self._batches(records):
            batch.close()
            written = await (await self._producer.send_batch(batch, topic, partition=partition))
            yield Written(int(written.offset), int(batch.record_count()), int(batch.size()))

    def _batches(self, records: Iterable[Record]) -> Iterator[Any]:
        batch = self._producer.create_batch()
        for key, value, timestamp, headers in records:
            if batch.append(key=key, value=value, timestamp=timestamp, headers=headers) is None:
                yield batch
                batch = self._producer.create_batch()
                batch.append(key=key, value=value, timestamp=timestamp, headers=headers)  # the first always fits
        if batch.record_count():
            yield batch


def _record(message: Message) -> Record:
    return message.key, message.value, message.timestamp_ms, list(message.headers)


async def idempotence_supported(options: dict[str, Any]) -> bool:
    """Ask the broker for a producer id: the embedded one has none, and aiokafka would give up over it."""
    client = AIOKafkaClient(**options)
    await client.bootstrap()
    try:
        node = client.get_random_node()
        answer = await client.send(node, InitProducerIdRequest(None, 0))
    except KafkaError:
        return False
    else:
        return bool(answer.error_code == 0)
    finally:
        await client.close()


def unreachable(options: dict[str, Any], error: BaseException) -> BrokerError:
    """The one sentence for a broker that can't be reached."""
    servers = ",".join(options["bootstrap_servers"])
    # aiokafka's own sentence names sockets, not a cause; the cause of each address stands in its log line before.
    cause = "no broker answers" if isinstance(error, KafkaConnectionError) else error
    return BrokerError(
        f"Can't reach Kafka at {servers} ({options['security_protocol']}): {cause}. Check broker.bootstrap"
        " (STILLWATCH_BROKER__BOOTSTRAP), the network and the security settings; `stillwatch broker` starts a broker to"
        " try things on."
    )
