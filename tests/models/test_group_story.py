"""From requests to a group's alert: newcomers on one card, who harvest, and newcomers on one card, who talk."""

from __future__ import annotations

import random
from collections.abc import Sequence
from zlib import crc32

from stillwatch_models.config import EngineConfig
from stillwatch_models.engine import AccountEngine
from stillwatch_models.groups import GroupEngine
from stillwatch_models.shard import Batch
from stillwatch_schemas.events import RequestEvent, Sketch
from stillwatch_schemas.findings import Finding
from support.builders import T0, make_event
from support.traffic import small_config

CONFIG = small_config(group_history_windows=10, hard_ceiling_per_minute=10_000)
SECONDS = 200
ARRIVAL = 120
"""Second in which the newcomers begin."""


def request(rng: random.Random, account: str, second: int, *, harvests: bool) -> RequestEvent:
    """One item of a data set, or another turn of the same talk."""
    seed, own = rng.randrange(1, 2**40), crc32(account.encode())
    sketch = Sketch(
        chars=200,
        words=40,
        text_hash=seed,
        template=seed if harvests else own,
        lead=seed if harvests else own,
        tail=seed if harvests else own,
        style=1 if harvests else 6,
        minhash=tuple(rng.randrange(2**32) if harvests else own + i for i in range(16)),
        cells=(rng.randrange(4_096) if harvests else own % 4_096,),
        embedding=rng.randbytes(32),
    )
    return make_event(
        event_id=f"{account}-{second}-{seed}",
        ts=T0 + 1_000 * second + rng.randrange(1_000),
        account_id=account,
        conversation_id=f"c{seed}" if harvests else f"c-{account}",
        turn=0 if harvests else 3,
        client_ip=None,
        payment_id="card-new" if account.startswith("new") else f"card-of-{account}",
        prompt=None,
        sketch=sketch,
    )


def day(*, harvests: bool) -> list[RequestEvent]:
    """Forty people with a card each, and from one moment on twelve newcomers with one card."""
    rng = random.Random(5)
    events = []
    for second in range(SECONDS):
        people = [f"person-{i}" for i in range(40) if rng.random() < 0.3]
        events += [request(rng, who, second, harvests=False) for who in people]
        if second >= ARRIVAL:
            newcomers = [f"new-{i:02}" for i in range(12) if rng.random() < 0.5]
            events += [request(rng, who, second, harvests=harvests) for who in newcomers]
    return events


def found_in(events: Sequence[RequestEvent], config: EngineConfig = CONFIG) -> tuple[list[Finding], GroupEngine]:
    """What the group agent says, and the agent."""
    accounts, groups = AccountEngine(config, 0), GroupEngine(config, 0, 1)
    out = accounts.process(Batch(items=list(events), offsets=list(range(len(events))), next_offset=len(events)))
    signals = [*out.signals, *accounts.finish().signals]
    batch = Batch(items=signals, offsets=list(range(len(signals))), next_offset=len(signals))
    return [*groups.process(batch).findings, *groups.finish().findings], groups


def test_newcomers_on_one_card_who_harvest_are_told_as_a_group() -> None:
    findings, _ = found_in(day(harvests=True))
    about_card = [f for f in findings if f.subject_kind == "payment" and f.activity == "create"]
    assert [f.kind for f in about_card] == ["payment_fan_in"]
    assert about_card[0].members == tuple(f"new-{i:02}" for i in range(12))
    assert about_card[0].evidence[0].statement.startswith("12 accounts never seen before began on payment instrument")
    assert [f.subject_kind for f in findings if f.activity == "create"] == ["payment"]  # and nothing else


def test_newcomers_on_one_card_who_talk_are_watched_only() -> None:
    findings, groups = found_in(day(harvests=False))
    assert findings == []
    assert groups.gauges()["watched"] == 1


def test_a_signal_that_is_switched_off_watches_nobody() -> None:
    config = small_config(
        group_history_windows=10, hard_ceiling_per_minute=10_000, disabled_signals=("fan_in", "surge", "synchrony")
    )
    findings, groups = found_in(day(harvests=True), config)
    assert findings == []
    assert groups.gauges()["watched"] == 0
