"""Ceiling: aiokafka hands over the records, msgspec decodes the fields that the work needs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from peers.aiokafka_consume import consume
from peers.job import Job, Meter
from peers.work import Request


def run(job: Job, meter: Meter) -> None:
    """Decode, and let go."""
    decode = msgspec.json.Decoder(Request).decode

    def work(records: Sequence[Any]) -> None:
        for record in records:
            decode(record.value)

    asyncio.run(consume(job, meter, work))
