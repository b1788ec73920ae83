"""The events of the race: the simulator's prompts, drawn densely, and one request in a hundred that is strange.

The same requests twice: with their text, for everybody, and as a serving tier with the emitter sends them, sketched.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import msgspec
from live.traffic import HOUR_MS, Dense, dense
from stillwatch_schemas.codec import encode_request
from stillwatch_schemas.events import RequestEvent

PER_SECOND = 5_000
ACCOUNTS = 20_000
FIRST_WINDOW_MS = 3_000
"""Traffic begins so long before a window ends, so that every peer sees windows end."""
STRANGE_SHARE = 0.01
STRANGE_FACTOR = 20

Entry = tuple[bytes, bytes, int]
"""Key, value, record timestamp in ms."""


def events(count: int, *, text: bool) -> Iterator[RequestEvent]:
    """So many events in time order, the last one an hour after the others: it ends every pane of the detectors."""
    rng = random.Random(11)  # noqa: S311 - seeded, on purpose
    shift = 60_000 - FIRST_WINDOW_MS
    wanted = Dense(events=count, accounts=ACCOUNTS, seconds=count / PER_SECOND, text=text)
    for number, event in enumerate(dense(wanted)):
        ts = event.ts + shift + (HOUR_MS if number == count - 1 else 0)
        tokens = event.input_tokens or 1
        strange = rng.random() < STRANGE_SHARE
        yield msgspec.structs.replace(
            event,
            ts=ts,
            latency_ms=event.latency_ms or 1.0,
            input_tokens=tokens * STRANGE_FACTOR if strange else tokens,
            output_tokens=event.output_tokens or 1,
        )


def entries(count: int, *, text: bool) -> Iterator[Entry]:
    """The records of those events; their timestamps are the events' own."""
    for event in events(count, text=text):
        yield event.account_id.encode(), encode_request(event), event.ts
