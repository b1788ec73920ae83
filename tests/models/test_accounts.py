"""The account table: whole rows come back as they were put, and a sample does not depend on who asks."""

from __future__ import annotations

import numpy as np
import pytest
from stillwatch_models.accounts import ROW, AccountTable


def make_rows(count: int) -> np.ndarray:
    """Rows of random bytes, which every field must survive."""
    raw = np.random.default_rng(1).integers(0, 256, (count, ROW.itemsize), np.uint8)
    return raw.view(ROW)[:, 0].copy()


def table_of(count: int) -> AccountTable:
    """A table that has grown, with rows put into it."""
    table = AccountTable(capacity=2)
    table.put(np.array(table.slots([f"a{n}" for n in range(count)])), make_rows(count))
    return table


def test_rows_come_back_as_they_were_put() -> None:
    """In any order, singly, and from a dump."""
    table, rows = table_of(9), make_rows(9)
    order = np.array([8, 3, 0])
    assert table.gather(order).tobytes() == rows[order].tobytes()
    assert table.row(4).tobytes() == rows[4].tobytes()
    other = AccountTable()
    other.load(*zip(*table.dump(), strict=True))
    assert dict(other.dump()) == dict(table.dump())


def test_a_slot_used_again_starts_from_nothing() -> None:
    """Nothing of an account that was forgotten is found in the next one."""
    table = table_of(3)
    table.rows["events"][:3] = 1
    table.evict(np.array([1]), set())
    (slot,) = table.slots(["new"])
    assert slot == 1
    fresh = table.row(slot)
    assert fresh["events"] == 0
    assert not fresh["sums"].any()
    assert not fresh["seen_words"].any()


def test_a_sample_is_the_accounts_with_the_least_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """All while there are few; then the same ones whatever their slots."""
    table = AccountTable()
    slots = np.array(table.slots([f"a{n}" for n in range(100)]))
    assert table.sample(slots).tolist() == slots.tolist()
    monkeypatch.setattr("stillwatch_models.accounts.MOST_SAMPLED", 10)
    chosen = table.sample(slots)
    assert sorted(table.rows["key"][chosen].tolist()) == sorted(table.rows["key"][slots].tolist())[:10]
