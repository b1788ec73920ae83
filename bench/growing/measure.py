"""Fill engines with accounts, then measure them: events a second, memory, checkpoint, restart."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import msgspec
from live.resident import resident
from live.traffic import HOUR_MS, START_MS, quick_event
from stillwatch_models.config import EngineConfig
from stillwatch_models.engine import AccountEngine
from stillwatch_schemas.events import Heartbeat, RequestEvent

from growing.engines import Engines

PER_SECOND = 5_000
"""Events in a second of event time, whatever the size: panes hold the same number of them."""
BATCH = 1_000
CHECKPOINT_EVERY = 5
"""Batches, so a second of event time: what the service does at 5,000 events a second."""
WARM_ACCOUNTS = 1_000
MIB = 2**20


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """One size."""

    accounts: int
    """Known to the engine."""
    active: int
    """Of those, how many send the measured events."""
    groups: int
    """Networks, payment instruments and clients that accounts are spread over, so many of each."""
    events: int
    """Measured."""


def measure(load: Load) -> dict[str, Any]:
    """Figures of one size; call it in a fresh process."""
    engines = Engines(EngineConfig(max_entities=max(1_000_000, load.accounts)))
    rng = random.Random(1)  # noqa: S311 - seeded, on purpose
    warm = min(WARM_ACCOUNTS, load.accounts)
    now = _run(engines, START_MS, warm, lambda number, ts: _event(rng, number, ts, load))
    before = resident()
    now = _run(engines, now, load.accounts - warm, lambda number, ts: _event(rng, warm + number, ts, load))
    now = _silence(engines, now)
    filled = resident()
    engines.reset_counts()
    now = _run(engines, now, load.events, lambda _, ts: _event(rng, rng.randrange(load.active), ts, load))
    _silence(engines, now)  # the measured events' panes end within the measurement
    return {
        **_speed(engines, load.events),
        **_memory(before, filled, load.accounts - warm),
        **_restart(engines),
    }


def _run(engines: Engines, now: int, count: int, make: Callable[[int, int], RequestEvent]) -> int:
    """Feed so many events from event time `now` on; the event time after them."""
    for number, first in enumerate(range(0, count, BATCH)):
        places = range(first, min(count, first + BATCH))
        engines.feed([make(place, now + place * 1000 // PER_SECOND) for place in places])
        if number % CHECKPOINT_EVERY == CHECKPOINT_EVERY - 1:
            engines.checkpoint()
    return now + count * 1000 // PER_SECOND


def _silence(engines: Engines, now: int) -> int:
    """An hour in which nothing happens: every pane ends."""
    engines.feed([Heartbeat(now + HOUR_MS)])
    engines.checkpoint()
    return now + HOUR_MS


def _event(rng: random.Random, account: int, ts: int, load: Load) -> RequestEvent:
    """An event of an account, which always belongs to the same groups."""
    group = account % load.groups
    return msgspec.structs.replace(
        quick_event(rng, f"e{rng.getrandbits(48):x}", f"account-{account:08}", ts),
        client_asn=64_500 + group,
        client_ip=f"10.{group >> 8}.{group & 255}.{account % 250}",
        payment_id=f"pay-{group}",
        client_ja4=f"t13d{group}",
        user_agent="sdk/1",
    )


def _speed(engines: Engines, events: int) -> dict[str, Any]:
    seconds = engines.account_seconds + engines.group_seconds + engines.checkpoint_seconds
    return {
        "events_per_cpu_second": round(events / seconds),
        "account_engine_us_per_event": round(engines.account_seconds / events * 1e6, 2),
        "group_engine_us_per_event": round(engines.group_seconds / events * 1e6, 2),
        "checkpoint_us_per_event": round(engines.checkpoint_seconds / events * 1e6, 2),
        "checkpoint_ms": round(engines.checkpoint_seconds / engines.checkpoints * 1e3, 1),
        "checkpoint_rows": round(engines.checkpoint_rows / engines.checkpoints),
        "checkpoint_mb": round(engines.checkpoint_bytes / engines.checkpoints / 1e6, 2),
    }


def _memory(before: int, filled: int, accounts: int) -> dict[str, Any]:
    return {
        "rss_mib": round(filled / MIB, 1),
        "rss_bytes_per_account": round((filled - before) / accounts) if accounts else None,
    }


def _restart(engines: Engines) -> dict[str, Any]:
    """A snapshot, as a new worker finds it in the log, taken over by a new engine."""
    snapshot = engines.accounts.snapshot()
    began = time.process_time()
    AccountEngine(engines.accounts.config, 0).restore(snapshot)
    return {
        "snapshot_mb": round(sum(len(key) + len(row) for key, row in snapshot.items()) / 1e6, 1),
        "snapshot_rows": len(snapshot),
        "restore_seconds": round(time.process_time() - began, 3),
    }
