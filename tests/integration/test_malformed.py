"""Bad input never stops the stream: each bad record is once in the DLQ with its reason, each good one is counted."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from stillwatch_schemas.codec import encode_request
from support.brokers import Broker
from support.builders import make_event
from support.counting import CountingShard
from support.kafka_io import Message, Received, produce
from support.live import PATIENCE_SECONDS, Live

pytestmark = pytest.mark.kafka

BAD = 10_000
GOOD = 6_000
DICE = random.Random(11)


def request(now_ms: int, **changes: object) -> bytes:
    """A request as JSON, with fields changed to anything."""
    fields = json.loads(encode_request(make_event(ts=now_ms))) | changes
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()


KINDS: dict[str, Callable[[int], bytes | None]] = {
    "not JSON": lambda _: b'{"event_id": "e-1", ',
    "random bytes": lambda _: DICE.randbytes(DICE.randrange(1, 300)),
    "no value": lambda _: None,
    "empty": lambda _: b"",
    "not an object": lambda _: b"[1, 2, 3]",
    "account missing": lambda now: request(now, account_id=...),
    "wrong type": lambda now: request(now, ts="yesterday"),
    "mistyped tokens": lambda now: request(now, input_tokens="many"),
    "oversized id": lambda now: request(now, account_id="x" * 5_000),
    "oversized value": lambda now: request(now, prompt="y" * 300_000),
    "forged time, future": lambda now: request(now + 86_400_000),
    "forged time, far future": lambda now: request(now, ts=99_999_999_999_999),
    "forged time, past": lambda now: request(now - 86_400_000),
    "not a number": lambda now: request(now).replace(b"2100.0", b"NaN"),
    "deep": lambda _: b"[" * 50_000,
    "lone surrogate": lambda now: request(now, account_id="\ud800"),
    "bad UTF-8": lambda now: request(now).replace(b"acct-1", b"acct-\xff"),
}


def bad_messages(now_ms: int) -> list[Message]:
    """BAD records of every kind; the big ones are few, for the broker's sake."""
    kinds = [name for name in KINDS if name != "oversized value"]
    chosen = ["oversized value"] * 20 + [kinds[n % len(kinds)] for n in range(BAD - 20)]
    key = iter(range(BAD))
    return [
        Message(value=KINDS[name](now_ms), key=f"bad-{next(key)}".encode(), headers=(("kind", name.encode()),))
        for name in chosen
    ]


def good_messages(now_ms: int) -> list[Message]:
    """Ordinary requests in order of time."""
    built = [
        make_event(event_id=f"g-{n}", ts=now_ms - 20_000 + n * 3, account_id=f"acct-{n % 50}") for n in range(GOOD)
    ]
    return [Message(value=encode_request(event), key=event.account_id.encode()) for event in built]


def mixed(now_ms: int) -> list[Message]:
    """Good ones in order, bad ones anywhere between."""
    good, bad = iter(good_messages(now_ms)), bad_messages(now_ms)
    DICE.shuffle(bad)
    places = set(DICE.sample(range(GOOD + BAD), GOOD))
    remaining = iter(bad)
    return [next(good) if place in places else next(remaining) for place in range(GOOD + BAD)]


@pytest.mark.slow
async def test_ten_thousand_bad_records(broker: Broker, tmp_path: Path) -> None:
    live = await Live(broker, tmp_path, STILLWATCH_SERVICE__INSTANCE_ID="worker-0").create_topics()
    messages = mixed(time.time_ns() // 1_000_000)
    with live.worker() as worker:
        await worker.ready()
        await produce(broker.bootstrap, live.names.requests, messages[: len(messages) // 2])
        worker.kill()  # half-way, so that records are read again: still once in the DLQ
        await worker.start().ready()
        await produce(broker.bootstrap, live.names.requests, messages[len(messages) // 2 :])
        clean = await live.clean_run(CountingShard)
        found = await live.caught_up(clean)
        letters = await dead_letters(live, len(clean.dead))
        assert worker.stop() == 0, live.log_tail()
    assert [recovery.rows for recovery in found] == clean.snapshots
    assert await good_events(live) == GOOD
    origins = Counter(origin(letter) for letter in letters)
    assert set(origins.values()) == {1}
    assert {place: header(letter, "code") for letter in letters for place in [origin(letter)]} == clean.dead
    assert len(letters) == BAD
    await assert_same_bytes(live, letters)


async def dead_letters(live: Live, wanted: int) -> list[Received]:
    """The DLQ once it has as many records as it should."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(letters := await live.read(live.names.dlq(live.names.requests))) < wanted:
        assert time.monotonic() < deadline, f"{len(letters)} of {wanted}: {live.log_tail()}"
        await asyncio.sleep(0.3)
    return letters


async def good_events(live: Live) -> int:
    """Good records, counted by folding the topic in this process to its very end."""
    clean = await live.clean_run(CountingShard)
    for shard in clean.shards:
        shard.finish()
    return sum(sum(shard.counts.values()) for shard in clean.shards)


async def assert_same_bytes(live: Live, letters: list[Received]) -> None:
    """Key and value in the DLQ are those of the record that it came from."""
    source = {(record.partition, record.offset): record for record in await live.read(live.names.requests)}
    for letter in letters:
        record = source[origin(letter)]
        assert (letter.key, letter.value) == (record.key, record.value)
        assert dict(letter.headers)["kind"] == dict(record.headers)["kind"]
        assert header(letter, "topic") == live.names.requests
        assert header(letter, "message")


def header(letter: Received, name: str) -> str:
    return dict(letter.headers)[f"__dlq.errors.{name}"].decode()


def origin(letter: Received) -> tuple[int, int]:
    return int(header(letter, "partition")), int(header(letter, "offset"))


async def test_headers_can_steer_nothing(broker: Broker, tmp_path: Path) -> None:
    """`Faust-Ag-ReplyTo` would make a yielding agent write where the sender says; forged DLQ headers are replaced."""
    live = await Live(broker, tmp_path).create_topics()
    now = time.time_ns() // 1_000_000
    attack = (
        ("Faust-Ag-ReplyTo", live.names.enforcement.encode()),
        ("Faust-Ag-CorrelationId", b"1"),
        ("Faust-K-Codec", b"pickle"),
        ("__dlq.errors.topic", live.names.alerts.encode()),
    )
    good = [Message(value=encode_request(make_event(ts=now)), key=b"acct-1", headers=attack, partition=0)]
    bad = [Message(value=b"junk", key=b"acct-1", headers=attack, partition=0)]
    await produce(broker.bootstrap, live.names.requests, good + bad)
    with live.worker() as worker:
        await worker.ready()
        letters = await dead_letters(live, 1)
        assert worker.stop() == 0, live.log_tail()
    assert await live.read(live.names.enforcement) == []
    assert [header(letter, "topic") for letter in letters] == [live.names.requests]
    assert not [name for letter in letters for name, _ in letter.headers if name.startswith("Faust-")]
