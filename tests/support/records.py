"""A plain record, for tests that feed ingest without a broker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from stillwatch_models.columns import PackedRequest
from stillwatch_schemas.events import RequestEvent
from support.builders import make_event


class PlainRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The five fields of a Kafka record that ingest reads."""

    value: bytes | None
    offset: int = 0
    timestamp: int = 0
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


def record_of(event: RequestEvent, offset: int = 0, timestamp: int | None = None) -> PlainRecord:
    """The record an emitter would write for an event; the broker's time is the event's own unless given."""
    return PlainRecord(
        value=msgspec.json.encode(event),
        offset=offset,
        timestamp=event.ts if timestamp is None else timestamp,
        key=event.account_id.encode(),
    )


def make_records(count: int, first_offset: int = 0) -> list[PlainRecord]:
    """`count` records of ordinary events, one second apart."""
    base = make_event()
    return [
        record_of(make_event(event_id=f"ev-{n}", ts=base.ts + 1_000 * n), offset=first_offset + n) for n in range(count)
    ]


def unpacked(items: Sequence[Any]) -> list[Any]:
    """What ingest gave, packed requests with all their fields."""
    return [item.unpacked() if isinstance(item, PackedRequest) else item for item in items]
