"""What a source partition tells the group agent: whole spans, arrivals counted once, bounded lists, nothing lost."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stillwatch_models import distinct
from stillwatch_models.accounts import AccountTable
from stillwatch_models.contributions import Contributor
from stillwatch_models.fold import fold
from stillwatch_models.open_panes import EventIds
from stillwatch_models.telling import MAX_ACCOUNTS, MAX_EXAMPLES
from stillwatch_models.texts import TextMemory
from stillwatch_schemas.events import RequestEvent
from stillwatch_schemas.signals import Contribution
from support.builders import T0, make_event, make_sketch
from support.folding import HORIZONS, PANE_MS, TEXTS, waiting

WINDOW = 60
"""Panes in a group window."""
FIRST = T0 // PANE_MS
END = 2**62


class Source:
    """One source partition, as the engine drives it: look, fold, add, tell."""

    def __init__(self, most_events: int = 1_000) -> None:
        self.table = AccountTable()
        self.contributor = Contributor(window_panes=WINDOW, most_events=most_events, source=1, pane_ms=PANE_MS)
        self.number = 0

    def see(self, items: Sequence[RequestEvent], nats: float = 0.0) -> None:
        """Fold a segment; afterwards every account has this much evidence."""
        events = waiting(self.table, items)
        ids = EventIds(np.arange(len(items)), [item.event_id for item in items])
        seen = self.contributor.look(events, self.table)
        cells = fold(self.table, TextMemory(TEXTS), events, HORIZONS)
        self.contributor.add(seen, cells, np.full(len(cells.slot), nats), self.table, ids)

    def told(self, closed_before: int = END) -> list[Contribution]:
        """Contributions of the spans that are over."""
        return list(self.contributor.tell(closed_before))


def told(items: Sequence[RequestEvent], kind: str = "asn", source: Source | None = None) -> list[Contribution]:
    """Contributions of one kind."""
    source = source or Source()
    source.see(items)
    return [c for c in source.told() if c.group.startswith(f"{kind}:")]


def ask(account: str, pane: int = 0, **fields: object) -> RequestEvent:
    asked = {"event_id": f"{account}-{pane}", "account_id": account, "ts": T0 + pane * PANE_MS, "client_asn": None}
    return make_event(**(asked | {"client_ip": None, "org_id": None} | fields))


def test_one_contribution_a_window_and_system() -> None:
    found = told([ask("a", client_asn=1), ask("b", client_asn=1), ask("a", 1, client_asn=2), ask("c", 1, client_asn=1)])
    assert [(c.group, c.events, c.new_accounts, c.accounts) for c in found] == [
        ("asn:1", 3, 3, ("a", "b", "c")),
        ("asn:2", 1, 1, ("a",)),
    ]
    assert {(c.source, c.pane, c.pane_end_ms) for c in found} == {(1, FIRST + WINDOW - 1, T0 + WINDOW * PANE_MS)}
    assert (found[0].output_tokens, found[0].event_ids) == (420, ("a-0", "b-0", "c-1"))
    assert (found[0].weights, found[0].fresh_accounts) == ((1, 1, 1), 3)


def test_groups_of_every_kind_are_told_once_two_accounts_meet_in_them() -> None:
    def same(account: str) -> RequestEvent:
        return ask(
            account,
            client_asn=1,
            client_ip="192.0.2.17",
            client_ja4="t13d",
            user_agent="sdk/1",
            payment_id="card",
            prompt=None,
            sketch=make_sketch(cells=(803, 2)),
        )

    def groups(items: Sequence[RequestEvent]) -> list[str]:
        source = Source()
        source.see(items)
        return [c.group for c in source.told()]

    assert groups([same("a")]) == ["asn:1"]
    five = groups([same("a"), same("b")])
    assert five[:2] == ["asn:1", "net:192.0.2.0/24"]
    assert [group.partition(":")[0] for group in five[2:]] == ["payment", "client", "template"]
    assert groups([same(name) for name in "abcd"])[-1] == "topic:803"


def test_a_payment_that_several_accounts_use_is_told_with_a_single_account_too() -> None:
    source = Source()
    pair = [ask("a", payment_id="card"), ask("b", payment_id="card"), ask("c", payment_id="other")]
    assert [c.accounts for c in told(pair, "payment", source)] == [("a", "b")]
    source.contributor.begin_epoch(source.table)
    alone = [ask("a", WINDOW, payment_id="card"), ask("c", WINDOW, payment_id="other")]
    assert [c.accounts for c in told(alone, "payment", source)] == [("a",)]


def test_an_account_that_stays_arrives_once() -> None:
    source = Source()
    assert [c.new_accounts for c in told([ask("a", client_asn=1), ask("a", 1, client_asn=1)], source=source)] == [1]
    assert [c.new_accounts for c in told([ask("a", 60, client_asn=1)], source=source)] == [0]
    unknown = [ask("a", 120), ask("a", 121, client_asn=1)]
    assert [c.new_accounts for c in told(unknown, source=source)] == [0]  # it may have been there all along
    assert [c.new_accounts for c in told([ask("a", 180, client_asn=2)], source=source)] == [1]
    assert [c.new_accounts for c in told([ask("a", 240, client_asn=1)], source=source)] == [1]  # it came back


def test_an_account_is_fresh_in_its_first_pane_only() -> None:
    source = Source()
    assert [c.fresh_accounts for c in told([ask("a", client_asn=1), ask("a", 1, client_asn=2)], source=source)] == [
        1,
        0,
    ]
    assert [c.fresh_accounts for c in told([ask("a", 60, client_asn=1)], source=source)] == [0]


def test_events_without_a_group_are_left_out() -> None:
    assert told([ask("a"), ask("b", client_asn=0)]) == []


def test_lists_are_bounded_to_the_busiest_and_the_total_is_told() -> None:
    crowd = [ask(f"a{i:03}", payment_id="card") for i in range(200)]
    busy = [ask("a150", pane, payment_id="card") for pane in range(1, 5)]
    (found,) = told([*crowd, *busy], "payment")
    assert len(found.accounts) == len(found.weights) == len(found.evidence) == MAX_ACCOUNTS
    assert (found.accounts_total, found.new_accounts, len(found.event_ids)) == (200, 200, MAX_EXAMPLES)
    assert found.accounts == tuple(sorted(found.accounts))
    assert dict(zip(found.accounts, found.weights, strict=True))["a150"] == 5
    assert distinct.size_of(found.distinct) == pytest.approx(200, rel=0.12)


def test_evidence_and_creation_days_stand_beside_the_accounts() -> None:
    source = Source()
    source.see([ask("a", client_asn=1, account_created_at=3 * 86_400_000), ask("b", client_asn=1)], nats=4.0)
    source.see([ask("a", 1, client_asn=1)], nats=-1.25)
    (found,) = source.told()
    assert found.evidence == (-1.25, 4.0)  # the latest of each
    assert found.created == (3, 0)
    assert (found.judged_accounts, found.suspect_accounts) == (2, 1)


def test_pairs_active_together_are_counted_beside_what_chance_gives() -> None:
    together = [ask(name, pane, payment_id="card") for name in "ab" for pane in (0, 3, 9)]
    (found,) = told(together, "payment")
    assert (found.together, found.together_expected) == (3, pytest.approx(9 / 10))  # 3 * 3 panes among 10
    apart = [ask("a", pane, payment_id="card") for pane in (0, 2, 4)]
    (found,) = told([*apart, *(ask("b", pane, payment_id="card") for pane in (1, 3, 9))], "payment")
    assert (found.together, found.together_expected) == (0, pytest.approx(9 / 10))


def test_a_span_is_told_early_where_traffic_is_heavy_and_nothing_is_lost() -> None:
    items = [ask(f"a{i % 9}", i // 10, client_asn=1, event_id=f"e{i}") for i in range(300)]
    whole, parts = Source(), Source(most_events=40)
    whole.see(items)
    parts.see(items)
    one, many = whole.told(), parts.told(FIRST + 30)
    assert len(one) == 1
    assert [c.pane - FIRST for c in many] == [4, 9, 14, 19, 24, 29]
    assert len(parts.contributor) == 0
    assert sum(c.events for c in many) == one[0].events == 300
    assert sum(c.new_accounts for c in many) == one[0].new_accounts == 9


@given(seed=st.integers(0, 10_000), cut=st.integers(1, 199), most=st.sampled_from([15, 50, 1_000]))
@settings(max_examples=25, deadline=None)
def test_segments_and_restarts_change_nothing(seed: int, cut: int, most: int) -> None:
    rng = random.Random(seed)
    panes = sorted(rng.randrange(150) for _ in range(200))
    items = [
        ask(f"a{rng.randrange(12)}", pane, event_id=f"e{i}", client_asn=rng.randrange(3), payment_id=rng.choice("xyz"))
        for i, pane in enumerate(panes)
    ]
    while cut < len(items) and panes[cut] == panes[cut - 1]:
        cut += 1  # a segment is made of whole panes
    whole, pieces = Source(most), Source(most)
    whole.see(items)
    pieces.see(items[:cut])
    early = pieces.told(FIRST + panes[cut - 1] + 1)
    rows: dict[bytes, bytes | None] = dict(pieces.contributor.take_dirty())
    fresh = Contributor(window_panes=WINDOW, most_events=most, source=1, pane_ms=PANE_MS)
    fresh.load({key: row for key, row in rows.items() if row is not None} | pieces.contributor.model_rows())
    assert dict(fresh.dump()) == dict(pieces.contributor.dump())
    pieces.contributor = fresh
    if cut < len(items):
        pieces.see(items[cut:])
    assert [*early, *pieces.told()] == whole.told()
    rows.update(pieces.contributor.take_dirty())
    assert all(row is None for row in rows.values())


def test_the_order_of_arrival_within_a_pane_does_not_matter() -> None:
    items = [
        make_event(event_id=f"e{i}", account_id=f"a{i % 7}", client_asn=i % 3 + 1, ts=T0 + 10 * i) for i in range(60)
    ]
    one, two = Source(), Source()
    for source in (one, two):
        source.table.slots([f"a{i}" for i in range(7)])
    one.see(items)
    two.see(random.Random(1).sample(items, len(items)))
    first, second = one.told(), two.told()
    assert [c.group for c in first] == [c.group for c in second]
    assert [(c.events, c.accounts, c.new_accounts) for c in first] == [
        (c.events, c.accounts, c.new_accounts) for c in second
    ]
    assert (one.table.rows["asn"] == two.table.rows["asn"]).all()
