"""The topics of a race: written once to a broker, read by every contestant in every round."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer
from stillwatch_schemas.topics import DLQ_SUFFIX
from support.kafka_io import create_topics, unique

from peers.traffic import Entry, entries
from peers.work import Alert, Request, oracle

BATCH_BYTES = 900_000
FOR_EVER = {"retention.ms": "-1"}
"""The records' timestamps are long ago; retention counts from them."""


class Waiting(msgspec.Struct, frozen=True):
    """Records made ready, and what the oracle says about them."""

    text: list[Entry]
    sketch: list[Entry]
    requests: list[Request]
    alerts: list[Alert]

    @classmethod
    def make(cls, count: int) -> Waiting:
        """Make so many records of each kind; about 10 s for 100,000."""
        text = list(entries(count, text=True))
        decode = msgspec.json.Decoder(Request).decode
        requests = [decode(value) for _, value, _ in text]
        return cls(text, list(entries(count, text=False)), requests, oracle(requests))


class Topics:
    """Where the records lie on one broker, and the alerts that are due."""

    def __init__(self, waiting: Waiting) -> None:
        self.records = len(waiting.text)
        self.text = unique("requests-text")
        self.sketch = unique("requests-sketch")
        self._waiting = waiting
        self._place = {request.event_id: place for place, request in enumerate(waiting.requests)}

    def alerts_within(self, records: int) -> list[Alert]:
        """The oracle's alerts of the first so many records."""
        return [alert for alert in self._waiting.alerts if self.place(alert) < records]

    def place(self, alert: Alert) -> int:
        """Where in the topic the alert's event is."""
        return self._place[alert.event_id]

    async def write(self, bootstrap: str) -> None:
        """Create and fill both topics."""
        await create_topics(bootstrap, [self.text, self.sketch], config=FOR_EVER)
        await create_topics(bootstrap, [f"{self.text}{DLQ_SUFFIX}", f"{self.sketch}{DLQ_SUFFIX}"])
        await fill(bootstrap, self.text, self._waiting.text)
        await fill(bootstrap, self.sketch, self._waiting.sketch)


async def fill(bootstrap: str, topic: str, waiting: Iterable[Entry]) -> None:
    """Write the records in order to the topic's only partition."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_batch_size=BATCH_BYTES)
    await producer.start()
    try:
        batch = producer.create_batch()
        for key, value, ts in waiting:
            if batch.append(key=key, value=value, timestamp=ts) is None:
                batch = await _send(producer, batch, topic)
                batch.append(key=key, value=value, timestamp=ts)
        await _send(producer, batch, topic)
    finally:
        await producer.stop()


async def _send(producer: Any, batch: Any, topic: str) -> Any:
    batch.close()
    await (await producer.send_batch(batch, topic, partition=0))
    return producer.create_batch()
