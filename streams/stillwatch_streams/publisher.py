"""One producer for everything a worker writes. A message counts as written only when the broker said so."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Self

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.transaction import InitProducerIdRequest
from stillwatch_schemas.errors import BrokerError

BATCH_BYTES = 900_000
"""Largest record batch: below every broker's default limit of 1 MiB (`message.max.bytes`)."""
REQUEST_BYTES = 16 << 20


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One record to write; partition None lets the key decide; value None is a tombstone."""

    topic: str
    value: bytes | None
    key: bytes | None = None
    partition: int | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp_ms: int | None = None
    """None: now."""


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
                linger_ms=1,
                max_batch_size=BATCH_BYTES,
                max_request_size=REQUEST_BYTES,
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
        """Write all messages and wait until the broker has them; their offsets. Raises KafkaError if it refuses one."""
        pending = [
            await self._producer.send(
                message.topic,
                message.value,
                key=message.key,
                partition=message.partition,
                headers=list(message.headers),
                timestamp_ms=message.timestamp_ms,
            )
            for message in messages
        ]
        return [int(metadata.offset) for metadata in await asyncio.gather(*pending)]

    async def send_batches(self, topic: str, partition: int, records: Sequence[tuple[bytes, bytes | None]]) -> int:
        """Write records to one partition as few batches, in order; returns the bytes written.

        Each batch is acknowledged before the next is sent: a retry can't put an older record after a newer one.
        """
        written = 0
        batch = self._producer.create_batch()
        for key, value in records:
            if batch.append(key=key, value=value, timestamp=None) is None:
                written += await self._send_batch(batch, topic, partition)
                batch = self._producer.create_batch()
                batch.append(key=key, value=value, timestamp=None)
        if batch.record_count():
            written += await self._send_batch(batch, topic, partition)
        return written

    async def _send_batch(self, batch: Any, topic: str, partition: int) -> int:
        size = int(batch.size())
        batch.close()
        await (await self._producer.send_batch(batch, topic, partition=partition))
        return size


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
    return BrokerError(
        f"Can't reach Kafka at {servers} ({options['security_protocol']}): {error}. Check broker.bootstrap and the"
        " security settings; `stillwatch doctor` tests them."
    )
