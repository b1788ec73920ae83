"""Bounded memory: who is forgotten first, and where a segment ends so that the answer does not depend on the batch."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from stillwatch_models import columns
from stillwatch_models.accounts import AccountTable
from stillwatch_models.capacity import Capacity
from stillwatch_models.columns import Events
from stillwatch_models.engine import AccountEngine
from support.builders import T0, make_event
from support.traffic import run, small_config


def table_of(**events_and_pane: tuple[int, int]) -> AccountTable:
    """Accounts with so many events, known since a pane (and last seen in it)."""
    table = AccountTable()
    for name, (events, pane) in events_and_pane.items():
        row = table.rows[table.slots([name])[0]]
        row["events"], row["pane"], row["first_pane"] = events, pane, pane
        table.live += 1
    return table


def names(table: AccountTable, slots: np.ndarray) -> list[str]:
    return [table.account(slot) for slot in slots.tolist()]


def arrivals(table: AccountTable, *who: tuple[str, int]) -> Events:
    """Waiting events of accounts in panes."""
    events = np.zeros(len(who), columns.EVENT)
    events["row"] = table.slots([name for name, _ in who])
    events["pane"] = [pane for _, pane in who]
    return events


def test_the_fewest_events_go_first_and_of_those_the_newest() -> None:
    capacity = Capacity(small_config(max_entities=2))
    table = table_of(busy=(90, 1), old=(1, 2), newer=(1, 5), newest=(1, 9))
    assert names(table, capacity.flood(table)) == ["newest", "newer"]


def test_equals_go_by_key_whatever_slot_they_sit_in() -> None:
    capacity = Capacity(small_config(max_entities=1))
    tables = [table_of(**dict.fromkeys(order, (1, 1))) for order in itertools.permutations("abc")]
    gone = {tuple(sorted(names(table, capacity.flood(table)))) for table in tables}
    assert len(gone) == 1


def test_nobody_goes_while_there_is_room() -> None:
    table = table_of(a=(1, 1), b=(1, 1))
    assert len(Capacity(small_config(max_entities=2)).flood(table)) == 0


def test_the_idle_go_after_their_time() -> None:
    capacity = Capacity(small_config(idle_evict_seconds=30.0))
    table = table_of(gone=(50, 69), there=(1, 70))
    assert names(table, capacity.idle(table, 100)) == ["gone"]


def test_a_segment_ends_with_the_pane_in_which_the_bound_is_passed() -> None:
    capacity = Capacity(small_config(max_entities=3))
    table = table_of(a=(1, 1), b=(1, 1))
    events = arrivals(table, ("a", 5), ("new1", 5), ("new2", 6), ("b", 6), ("new3", 7))
    assert capacity.cut(table, events, 0, 5) == 4  # the end of pane 6
    assert capacity.cut(table, events, 0, 2) == 2
    assert Capacity(small_config(max_entities=9)).cut(table, events, 0, 5) == 5


def test_an_evicted_account_starts_again_from_nothing() -> None:
    table = table_of(a=(5, 1), b=(5, 1))
    slot = table.slots(["a"])[0]
    table.evict(np.array([slot]), keep_slots={slot})
    assert dict(table.take_dirty()) == {"a": None}
    assert table.slots(["a"]) == [slot]
    assert table.rows[slot]["events"] == 0
    table.evict(np.array(table.slots(["b"])), keep_slots=set())
    with pytest.raises(KeyError):
        table.account(1)
    assert table.slots(["c"]) == [1]  # the slot is used again
    assert table.live == 0


def test_idle_accounts_leave_the_engine_and_its_checkpoints() -> None:
    engine = AccountEngine(small_config(idle_evict_seconds=30.0, reference_seconds=20.0), 0)
    stayer = [make_event(event_id=f"s{i}", account_id="stayer", ts=T0 + 1_000 * i) for i in range(120)]
    run(engine, [make_event(event_id="g", account_id="goer"), *stayer], itertools.repeat(10))
    engine.finish()
    assert [row.account_id for row in engine.accounts()] == ["stayer"]
    assert engine.counters["evicted_idle"] == 1
    assert b"a:goer" not in engine.snapshot()
