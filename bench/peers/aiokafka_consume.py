"""Ceiling: aiokafka hands over the records, and nothing is done with them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer

from peers.job import Job, Meter

MOST_RECORDS = 2_000


async def consume(job: Job, meter: Meter, work: Callable[[Sequence[Any]], object]) -> None:
    """Use the consumer's own batch call, offsets committed every second by aiokafka itself."""
    consumer = AIOKafkaConsumer(
        job.topic,
        bootstrap_servers=job.bootstrap,
        group_id=job.name,
        auto_offset_reset="earliest",
        auto_commit_interval_ms=1_000,
    )
    await consumer.start()
    while True:
        fetched = await consumer.getmany(timeout_ms=200, max_records=MOST_RECORDS)
        meter.begin()
        for records in fetched.values():
            work(records)
            meter.count(len(records))


def run(job: Job, meter: Meter) -> None:
    """Count."""
    asyncio.run(consume(job, meter, len))
