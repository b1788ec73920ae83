"""What an account costs: resident memory of an engine by number of accounts, each in a fresh process."""

from __future__ import annotations

import multiprocessing
import random
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from stillwatch_models.account_state import ACCOUNT_ROW, TEXT_ROW
from stillwatch_models.accounts import ROW
from stillwatch_models.config import EngineConfig
from stillwatch_models.engine import AccountEngine
from stillwatch_models.shard import Batch
from stillwatch_schemas.events import Heartbeat

from live.resident import resident
from live.traffic import START_MS, quick_event

EVENTS_EACH = 3
BATCH = 2_000
EVENTS_PER_SECOND = 5_000
WARM_ACCOUNTS = 1_000
WARM_EVENTS_EACH = 140
"""Enough to fill the text memory, which does not grow with the accounts."""
MIB = 2**20


def per_account(counts: tuple[int, ...]) -> dict[str, Any]:
    """Memory and checkpoint of engines with so many accounts, and the bytes that each further account costs."""
    found = [_in_fresh_process(count) for count in counts]
    first, last = found[0], found[-1]
    more = last["accounts"] - first["accounts"]
    return {
        "row_bytes": ROW.itemsize,  # with its zeros, which are neither kept nor written
        "engines": found,
        "rss_bytes_per_further_account": round((last["rss_mib"] - first["rss_mib"]) * MIB / more),
        "checkpoint_bytes_per_account": round(last["account_row_bytes"] / last["accounts"]),
    }


def _in_fresh_process(accounts: int) -> dict[str, Any]:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(fill, accounts).result()


def fill(accounts: int) -> dict[str, Any]:
    """Fill an engine; events are made batch by batch and given away, so that what stays is the engine's.

    The zero of the scale is the same engine with 1,000 accounts, a full text memory and everything else warm.
    """
    engine = AccountEngine(EngineConfig(), 0)
    rng = random.Random(1)  # noqa: S311 - seeded, on purpose
    warm = _feed(engine, rng, range(WARM_ACCOUNTS), 0, each=WARM_EVENTS_EACH)
    before = resident()
    end = _feed(engine, rng, range(WARM_ACCOUNTS, accounts), warm, each=EVENTS_EACH)
    after = resident()
    snapshot = engine.snapshot()
    sizes = {prefix: _bytes(snapshot, prefix) for prefix in (ACCOUNT_ROW, TEXT_ROW, b"m:")}
    return {
        "accounts": engine.table.live,
        "events": end,
        "rss_before_mib": round(before / MIB, 1),
        "rss_mib": round(after / MIB, 1),
        "rss_bytes_per_account": round((after - before) / (engine.table.live - WARM_ACCOUNTS)),
        "row_slots": len(engine.table.rows),
        "account_row_bytes": sizes[ACCOUNT_ROW],
        "text_row_bytes": sizes[TEXT_ROW],
        "model_row_bytes": sizes[b"m:"],
        "checkpoint_bytes": sum(sizes.values()),
    }


def _feed(engine: AccountEngine, rng: random.Random, accounts: range, first: int, *, each: int) -> int:
    """Events of each account in turn from offset `first` on, then an hour's silence; the next offset."""
    offset = first
    now = max(START_MS, engine.clock.max_ts)
    total = len(accounts) * each
    for begin in range(0, total, BATCH):
        items: list[Any] = [
            quick_event(
                rng,
                f"e{first + number}",
                f"account-{accounts[number % len(accounts)]:08}",
                now + number * 1000 // EVENTS_PER_SECOND,
            )
            for number in range(begin, min(total, begin + BATCH))
        ]
        engine.process(Batch(items, list(range(offset, offset + len(items))), offset + len(items)))
        offset += len(items)
        engine.checkpoint()
    engine.process(Batch([Heartbeat(engine.clock.max_ts + 3_600_000)], [offset], offset + 1))
    engine.checkpoint()
    return offset + 1


def _bytes(snapshot: dict[bytes, bytes], prefix: bytes) -> int:
    return sum(len(key) + len(row) for key, row in snapshot.items() if key.startswith(prefix))
