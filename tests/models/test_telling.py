"""A span is told as a plain loop over groups and events would tell it."""

from __future__ import annotations

import random
from collections import defaultdict
from itertools import combinations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stillwatch_models import distinct
from stillwatch_models.group_kinds import CROWDS, KINDS, NO_ELSEWHERE, PACED, SHARED, group_name
from stillwatch_models.open_panes import EventIds
from stillwatch_models.spans import SEEN, Seen, Span
from stillwatch_models.telling import MAX_ACCOUNTS, MAX_EXAMPLES, SUSPECT_NATS, Tellable, tell
from stillwatch_schemas.signals import Contribution

TO = Tellable(source=3, pane=1_800_000_119, pane_ms=1_000, accounts_so_far=77)
VALUES = {"template": 2**51, "net": 2**31 + 5, "asn": 2**32 - 3}
"""First of the few values of a kind: codes of 52 and of 32 bits."""


def span(rng: random.Random, events: int, accounts: int, panes: int) -> Span:
    """Random events in order of time; each of the groups has a few of a kind's values, 0 among them."""
    seen = np.zeros(events, SEEN)
    seen["pane"] = sorted(rng.randrange(60, 60 + panes) for _ in range(events))
    for kind in KINDS:
        first = VALUES.get(kind, 1)
        seen[kind] = [rng.choice([0, first, first + 1, first + 2]) for _ in range(events)]
    seen["tokens"] = [rng.randrange(2**30) for _ in range(events)]
    seen["created"] = [rng.choice([0, 0, 20_000, 20_001]) for _ in range(events)]
    seen["nats"] = [rng.choice([0.0, -1.234, 3.0, 5.678]) for _ in range(events)]
    for bits in ("came", "shared"):
        seen[bits] = [rng.choice([0, 0, 15]) for _ in range(events)]
    seen["fresh"] = [rng.random() < 0.2 for _ in range(events)]
    names = [f"account {number}" for number in rng.sample(range(10 * accounts), accounts)]
    sender = np.array([rng.randrange(accounts) for _ in range(events)])
    new = Span()
    offsets = np.arange(events)
    new.add(seen, sender, names, EventIds(offsets, [f"e{number}" for number in offsets]), offsets)
    return new


def plainly(kind: str, value: int, told: Span) -> Contribution | None:
    """One group's contribution, event by event."""
    events, names = told.events(), told.accounts
    by_account: dict[str, list[int]] = defaultdict(list)
    for at in np.flatnonzero(events[kind] == value).tolist():
        by_account[names[events["who"][at]]].append(at)
    own = {name: events[by_account[name]] for name in sorted(by_account)}
    bit = 1 << KINDS.index(kind)
    if not own or (
        len(own) < {"asn": 1, "topic": 4}.get(kind, 2)
        and not (kind in SHARED and any((part["shared"] & bit).any() for part in own.values()))
    ):
        return None
    last = {name: float(part["nats"][-1]) for name, part in own.items()}
    created = {name: int(part["created"].max()) for name, part in own.items()}
    named = sorted(sorted(own, key=lambda name: -len(own[name]))[:MAX_ACCOUNTS])
    together, expected = paced(kind, own, panes=int(np.ptp(events["pane"])) + 1)
    return Contribution(
        group=group_name(kind, value),
        source=TO.source,
        pane=TO.pane,
        pane_end_ms=1_800_000_120_000,
        events=sum(map(len, own.values())),
        output_tokens=sum(sum(part["tokens"].tolist()) for part in own.values()),
        accounts=tuple(named),
        accounts_total=len(own),
        new_accounts=sum(kind in NO_ELSEWHERE or bool((part["came"] & bit).any()) for part in own.values()),
        event_ids=tuple(f"e{by_account[name][0]}" for name in list(own)[:MAX_EXAMPLES]),
        fresh_accounts=sum(bool(part["fresh"].any()) for part in own.values()),
        accounts_so_far=TO.accounts_so_far,
        judged_accounts=sum(nats != 0.0 for nats in last.values()),
        suspect_accounts=sum(nats >= SUSPECT_NATS for nats in last.values()),
        weights=tuple(len(own[name]) for name in named),
        evidence=tuple(round(last[name], 2) for name in named),
        created=tuple(created[name] for name in named) if any(created.values()) else (),
        together=together,
        together_expected=expected,
        distinct=distinct.sketch_of(own) if len(own) > MAX_ACCOUNTS and kind not in CROWDS else b"",
    )


def paced(kind: str, own: dict[str, Seen], panes: int) -> tuple[int, float]:
    """Pairs of accounts in the same pane, and how many chance would give."""
    if kind not in PACED or panes == 1 or not 1 < len(own) <= MAX_ACCOUNTS:
        return 0, 0.0
    active = [set(part["pane"].tolist()) for part in own.values()]
    pairs = list(combinations(active, 2))
    return sum(len(one & two) for one, two in pairs), round(sum(len(one) * len(two) for one, two in pairs) / panes, 6)


@given(
    seed=st.integers(0, 10_000),
    events=st.sampled_from([1, 7, 60, 400]),
    accounts=st.sampled_from([1, 3, 20, 60]),
    panes=st.sampled_from([1, 2, 60]),
)
@settings(max_examples=40, deadline=None)
def test_it_is_told_as_a_plain_loop_would(seed: int, events: int, accounts: int, panes: int) -> None:
    one = span(random.Random(seed), events, accounts, panes)
    values = {kind: sorted(set(one.events()[kind].tolist()) - {0}) for kind in KINDS}
    plain = [plainly(kind, value, one) for kind in KINDS for value in values[kind]]
    told = list(tell(one, TO))
    assert told == [c for c in plain if c is not None]
    assert msgspec.json.decode(msgspec.json.encode(told), type=list[Contribution]) == told  # plain numbers, in bounds


@pytest.mark.parametrize(("kind", "sketched"), [("net", True), ("asn", False)])
def test_all_accounts_are_sketched_only_where_somebody_asks_how_many_there_are(kind: str, *, sketched: bool) -> None:
    one = span(random.Random(1), 2_000, 200, 5)
    found = next(c for c in tell(one, TO) if c.group.startswith(f"{kind}:"))
    assert found.accounts_total > MAX_ACCOUNTS
    assert bool(found.distinct) is sketched
