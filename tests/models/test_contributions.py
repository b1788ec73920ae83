"""What a source partition tells the group agent: whole panes, arrivals counted once, bounded lists."""

from __future__ import annotations

import random
from collections.abc import Sequence

from stillwatch_models.accounts import AccountTable
from stillwatch_models.contributions import MAX_ACCOUNTS, MAX_EXAMPLES, contributions
from stillwatch_models.fold import fold
from stillwatch_models.texts import TextMemory
from stillwatch_schemas.events import RequestEvent
from stillwatch_schemas.signals import Contribution
from support.builders import T0, make_event
from support.folding import HORIZONS, PANE_MS, TEXTS, waiting


def told(items: Sequence[RequestEvent], table: AccountTable | None = None) -> list[Contribution]:
    """Contributions as the engine asks for them: before the same events are folded."""
    table = table or AccountTable()
    events = waiting(table, items)
    ids = {offset: item.event_id for offset, item in enumerate(items)}
    found = list(contributions(events, table, 1, PANE_MS, ids))
    fold(table, TextMemory(TEXTS), events, HORIZONS)
    return found


def ask(account: str, asn: int | None, pane: int = 0) -> RequestEvent:
    return make_event(event_id=f"{account}-{pane}", account_id=account, client_asn=asn, ts=T0 + pane * PANE_MS)


def test_one_contribution_a_pane_and_system() -> None:
    found = told([ask("a", 1), ask("b", 1), ask("a", 2, 1), ask("c", 1, 1)])
    first = T0 // PANE_MS
    assert [(c.pane - first, c.group, c.events, c.new_accounts) for c in found] == [
        (0, "asn:1", 2, 2),
        (1, "asn:1", 1, 1),
        (1, "asn:2", 1, 1),
    ]
    assert found[0].accounts == ("a", "b")
    assert (found[0].source, found[0].output_tokens, found[0].pane_end_ms) == (1, 280, T0 + PANE_MS)
    assert found[0].event_ids == ("a-0", "b-0")


def test_an_account_that_stays_arrives_once() -> None:
    table = AccountTable()
    assert [c.new_accounts for c in told([ask("a", 1), ask("a", 1, 1)], table)] == [1, 0]
    assert [c.new_accounts for c in told([ask("a", 1, 2)], table)] == [0]
    assert [c.new_accounts for c in told([ask("a", 2, 3)], table)] == [1]
    assert [c.new_accounts for c in told([ask("a", 1, 4)], table)] == [1]  # it came back


def test_events_without_a_system_are_left_out() -> None:
    assert told([ask("a", None), ask("b", 0)]) == []


def test_lists_are_bounded_and_the_total_is_told() -> None:
    (found,) = told([ask(f"a{i:03}", 1) for i in range(200)])
    assert len(found.accounts) == MAX_ACCOUNTS
    assert (found.accounts_total, found.new_accounts, len(found.event_ids)) == (200, 200, MAX_EXAMPLES)
    assert found.accounts[0] == "a000"


def test_the_order_of_arrival_within_a_pane_does_not_matter() -> None:
    items = [
        make_event(event_id=f"e{i}", account_id=f"a{i % 7}", client_asn=i % 3 + 1, ts=T0 + 10 * i) for i in range(60)
    ]
    one, two = AccountTable(), AccountTable()
    for table in (one, two):
        table.slots([f"a{i}" for i in range(7)])
    mixed = random.Random(1).sample(items, len(items))
    assert told(items, one) == told(mixed, two)
    assert (one.rows["asn"] == two.rows["asn"]).all()
