"""Folding: exact sums, fading between panes, gaps inside sessions, and no influence of how the work is cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stillwatch_models.accounts import SUM_INDEX, AccountTable
from stillwatch_models.cell import FIXED, Horizons
from stillwatch_models.texts import TextMemory
from stillwatch_schemas.events import RequestEvent
from support.builders import T0, make_event, make_sketch
from support.folding import PANE_MS, TEXTS, fold_into, folded, waiting
from support.promises import NO_SHRINKING, SEEDS
from support.traffic import traffic


def at(*seconds: float, **fields: object) -> list[RequestEvent]:
    """One account's events at these times."""
    return [make_event(event_id=f"e{s}", ts=T0 + int(1000 * s), **fields) for s in seconds]


def sums(table: AccountTable, name: str) -> float:
    return float(table.row(0)["sums"][SUM_INDEX[name]])


def test_sums_are_exact() -> None:
    items = at(1, 2, 3, output_tokens=100, finish_reason="length", sketch=make_sketch(elicitation=1.0))
    table = folded(items)
    assert (sums(table, "events"), sums(table, "output_tokens"), sums(table, "rides_limit")) == (3, 300, 3)
    assert (sums(table, "texts"), sums(table, "elicitation")) == (3, 765)
    row = table.row(0)
    assert (row["events"], row["output_tokens"], row["first_ms"], row["last_ts"]) == (3, 300, T0 + 1000, T0 + 3000)
    assert row["hours"].tolist() == [3.0] + [0.0] * 23
    assert row["embedding"].tolist() == [3 * i for i in range(32)]
    assert table.live == 1
    assert table.dirty == {0}


def test_the_past_fades_by_half_in_a_half_life() -> None:
    table = folded(at(0, 600, sketch=make_sketch()), Horizons(fast=30.0, slow=60.0, block=360, restart=17_280))
    assert sums(table, "events") == 1.5
    assert table.row(0)["fast_events"] == 1.25
    assert table.row(0)["events"] == 2  # a whole life does not fade
    assert table.row(0)["hours"][0] == 1.5


def test_gaps_count_inside_sessions_only() -> None:
    table = folded(at(0, 4, 12, 12 + 1800, 12 + 1800 + 16))
    assert (sums(table, "gaps"), sums(table, "sessions")) == (pytest.approx(3, rel=0.01), pytest.approx(1, rel=0.01))
    assert sums(table, "gap_seconds") / FIXED == pytest.approx(4 + 8 + 16, rel=0.01)
    assert sums(table, "log_gaps") / FIXED == pytest.approx(sum(np.log2([4_001, 8_001, 16_001])), rel=0.01)


def test_an_event_id_counts_once_in_a_pane_and_account() -> None:
    table = AccountTable()
    same = [make_event(), make_event(), make_event(account_id="other"), make_event(ts=T0 + PANE_MS)]
    assert len(waiting(table, same)) == 3


def test_cells_come_by_pane_and_account_key() -> None:
    table = AccountTable()
    items = [make_event(event_id=f"{s}{a}", account_id=a, ts=T0 + s * PANE_MS) for s in (1, 0) for a in "abcdef"]
    cells = fold_into(table, TextMemory(TEXTS), items)
    order = list(zip(cells.pane.tolist(), table.rows["key"][cells.slot].tolist(), strict=True))
    assert order == sorted(order)
    assert len(order) == 12
    assert cells.after["events"].tolist() == [1] * 6 + [2] * 6


@given(seed=SEEDS, cut=st.floats(0, 1))
@settings(max_examples=15, deadline=None, phases=NO_SHRINKING)
def test_folding_at_once_equals_folding_in_two_steps(seed: int, cut: float) -> None:
    items = sorted((i for i in traffic(seed, 200) if isinstance(i, RequestEvent)), key=lambda item: item.ts)
    border = items[int(cut * (len(items) - 1))].ts // PANE_MS * PANE_MS
    whole, steps, texts = folded(items), AccountTable(), TextMemory(TEXTS)
    for part in ([i for i in items if i.ts < border], [i for i in items if i.ts >= border]):
        fold_into(steps, texts, part)
    assert dict(whole.dump()) == dict(steps.dump())
    assert whole.live == steps.live
