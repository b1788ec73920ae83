"""Play events at their own pace: says when each is due and leaves the waiting, and the clock, to the caller."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec
from stillwatch_schemas.errors import ConfigError
from stillwatch_schemas.events import RequestEvent

from stillwatch_streams.simulator.generate import LabelledEvent

E = TypeVar("E", bound="RequestEvent | LabelledEvent")


def paced(events: Iterable[E], start_ms: int, speed: float = 1.0) -> Iterator[tuple[int, E]]:
    """`(due_ms, event)` for each event: the first is due at `start_ms`, later ones after their distance / `speed`.

    `speed` 60 makes a minute of the scenario pass in a second. The events themselves are not changed; see `moved`.
    """
    if not speed > 0:
        raise ConfigError(f"speed is {speed}; it must be above 0, 1 is the pace of the scenario")
    first_ms: int | None = None
    for item in events:
        ts = (item.event if isinstance(item, LabelledEvent) else item).ts
        if first_ms is None:
            first_ms = ts
        yield start_ms + int((ts - first_ms) / speed), item


def moved(event: RequestEvent, ts: int) -> RequestEvent:
    """The event as if it had arrived at `ts`; the account's age stays what it was."""
    created = event.account_created_at
    return msgspec.structs.replace(
        event, ts=ts, account_created_at=None if created is None else created + ts - event.ts
    )
