"""Small, seeded request traffic for the engines: people, machines, late and repeated events, heartbeats."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

from stillwatch_models.config import EngineConfig
from stillwatch_models.engine import AccountEngine
from stillwatch_models.shard import Batch, Outputs
from stillwatch_schemas.events import Heartbeat, RequestEvent, Sketch
from stillwatch_schemas.verdicts import Verdict
from support.builders import T0, make_event

Item = RequestEvent | Heartbeat | Verdict


def small_config(**overrides: Any) -> EngineConfig:
    """An engine that lives fast: everything that takes hours takes seconds."""
    fields: dict[str, Any] = {
        "pane_seconds": 1.0,
        "lateness_seconds": 2.0,
        "evidence_block_seconds": 5.0,
        "evidence_restart_seconds": 60.0,
        "reference_seconds": 20.0,
        "teach_seconds": 3.0,
        "refresh_seconds": 30.0,
        "min_reference_accounts": 5,
        "min_events": 3,
        "budget_per_10k_account_days": 5_000.0,
        "persistence_blocks": 3,
        "hard_ceiling_per_minute": 480,
        "group_window_seconds": 5.0,
        "group_history_windows": 5,
        "group_span_events": 12,
    }
    return EngineConfig(**(fields | overrides))


def traffic(seed: int, events: int = 800, accounts: int = 30) -> list[Item]:
    """One partition's items in arrival order: mostly in time order, some late, some repeated, a few heartbeats."""
    rng = random.Random(seed)
    now = T0
    items: list[Item] = []
    for number in range(events):
        now += rng.choice([0, 1, 5, 60, 200, 400, 900])
        if rng.random() < 0.01:
            now += 15_000  # a silence
        if rng.random() < 0.02:
            items.append(Heartbeat(ts=now))
        items.append(_event(rng, number, now, accounts))
        if rng.random() < 0.03:
            items.append(rng.choice([item for item in items[-5:] if isinstance(item, RequestEvent)]))
        if rng.random() < 0.02:
            items.extend(_burst(rng, number, now))
    return items


def _event(rng: random.Random, number: int, now: int, accounts: int) -> RequestEvent:
    who = min(int(rng.expovariate(0.15)), accounts - 1)
    machine = who % 3 == 0
    late = rng.choice([0, 0, 0, 0, 700, 5_000])
    return make_event(
        event_id=f"e{number}",
        ts=now - late,
        account_id=f"acct-{who}",
        conversation_id=f"c{number}" if machine else f"c-{who}",
        turn=0 if machine else rng.randrange(4),
        client_asn=64500 + (who + number // 25) % 4,
        client_ip=f"192.0.{(who + number // 40) % 6}.{who}",
        client_ja4="t13d" if machine else f"t13d-{who % 5}",
        payment_id=f"card-{who % 7}" if who % 4 else None,
        account_created_at=T0 - (who % 3) * 86_400_000,
        prompt=None,
        sketch=_sketch(rng, who, machine=machine),
        output_tokens=rng.randrange(1_000),
        finish_reason=rng.choice(["stop", "length"]),
        status=rng.choice([200, 200, 200, 429]),
    )


def _sketch(rng: random.Random, who: int, *, machine: bool) -> Sketch:
    topic = rng.randrange(4096) if machine else who * 7 % 4096
    return Sketch(
        chars=rng.randrange(2_000),
        words=rng.randrange(300),
        text_hash=rng.randrange(1, rng.choice([200, 2**52])) if machine else who + 1,
        template=rng.randrange(1, 2**20) if machine else who + 1,
        lead=rng.randrange(1, 2**52) if machine else who + 1,
        tail=rng.randrange(1, 2**52) if machine else who + 1,
        style=1 if machine else rng.randrange(8),
        minhash=tuple(rng.randrange(2**32) if machine else who * 16 + i for i in range(16)),
        cells=(topic, (topic * 3 + 1) % 4096),
        embedding=rng.randbytes(32),
        elicitation=rng.random() if machine else 0.0,
    )


def _burst(rng: random.Random, number: int, now: int) -> Iterator[RequestEvent]:
    who = rng.randrange(3)
    for shot in range(rng.randrange(4, 14)):
        yield make_event(event_id=f"b{number}-{shot}", ts=now, account_id=f"burst-{who}", prompt=None)


def run(engine: AccountEngine, items: Sequence[Item], sizes: Iterator[int], start: int = 0) -> Outputs:
    """Feed items from offset `start` on, in batches of the given sizes; everything that came out."""
    out = Outputs()
    position = start
    while position < len(items):
        end = min(len(items), position + next(sizes))
        step = engine.process(
            Batch(items=list(items[position:end]), offsets=list(range(position, end)), next_offset=end)
        )
        out.findings.extend(step.findings)
        out.signals.extend(step.signals)
        out.profiles.extend(step.profiles)
        position = end
    return out


def coordinated(seed: int = 1, members: int = 6, crowd: int = 40) -> list[RequestEvent]:
    """Ten minutes of accounts that work through one narrow list together, among accounts that talk about anything."""
    rng = random.Random(seed)
    centre = [rng.gauss(0, 1) for _ in range(32)]
    gang = [
        _asked(rng, f"gang-{who}", number, near=centre, style=TASK) for who in range(members) for number in range(40)
    ]
    others = [
        _asked(rng, f"crowd-{who}", number, near=None, style=PERSON) for who in range(crowd) for number in range(6)
    ]
    return sorted([*gang, *others], key=lambda event: (event.ts, event.event_id))


TASK, PERSON = 1, 3
"""`Sketch.style`: formal; formal in the first person."""


def _asked(rng: random.Random, account: str, number: int, *, near: Sequence[float] | None, style: int) -> RequestEvent:
    noise = [rng.gauss(0, 1) for _ in range(32)]
    towards = noise if near is None else [2.0 * mean + other for mean, other in zip(near, noise, strict=True)]
    length = sum(value * value for value in towards) ** 0.5
    sketch = Sketch(
        chars=80,
        words=14,
        text_hash=rng.randrange(1, 2**52),
        template=rng.randrange(1, 2**52),
        opening=rng.randrange(1, 2**52),
        lead=rng.randrange(1, 2**52),
        tail=rng.randrange(1, 2**52),
        style=style,
        minhash=tuple(rng.randrange(2**32) for _ in range(16)),
        embedding=bytes(round(127 * value / length) & 0xFF for value in towards),
    )
    return make_event(
        event_id=f"{account}-{number}",
        ts=T0 + rng.randrange(600_000),
        account_id=account,
        org_id=f"org-{account}",
        conversation_id=f"{account}-{number}",
        turn=0,
        prompt=None,
        sketch=sketch,
    )
